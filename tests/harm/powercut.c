/* Records, in order, what a process does to the files of one folder: every write with its bytes, every cut, every sync.
 *
 * Loaded with LD_PRELOAD. POWERCUT_FOLDER: the folder; POWERCUT_LOG: where to write. A record is
 *   kind (1 byte), length of the name (4), offset (8), length of the data (8), the name, the data
 * in the machine's byte order. Kinds: w write, t truncate to offset, s sync, u unlink, m marker (a write to the file
 * "marker": what was answered to the outside).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static ssize_t (*real_write)(int, const void *, size_t);

static void init(void) {
    if (!real_write) real_write = dlsym(RTLD_NEXT, "write");
    if (log_fd < 0 && getenv("POWERCUT_LOG"))
        log_fd = open(getenv("POWERCUT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void record(char kind, const char *name, uint64_t offset, const void *data, uint64_t length) {
    uint32_t name_length = strlen(name);
    struct iovec parts[6] = {{&kind, 1}, {&name_length, 4}, {&offset, 8}, {&length, 8},
                             {(void *)name, name_length}, {(void *)data, length}};
    if (writev(log_fd, parts, length ? 6 : 5) < 0) _exit(99);
}

/* The name of a descriptor within the folder, or NULL. */
static const char *inside(int fd, char *buffer) {
    const char *folder = getenv("POWERCUT_FOLDER");
    char link[64];
    init();
    if (!folder || log_fd < 0 || fd == log_fd) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    size_t size = strlen(folder);
    if (strncmp(buffer, folder, size) || (buffer[size] != '/' && buffer[size])) return NULL;
    return buffer[size] ? buffer + size + 1 : buffer + size;
}

#define WRAP(call, kind, offset, data, length)                                   \
    char path[PATH_MAX];                                                         \
    const char *name = inside(fd, path);                                         \
    if (!name) return call;                                                      \
    pthread_mutex_lock(&lock);                                                   \
    __typeof__(call) result = call;                                              \
    if (result >= 0) record(kind, name, offset, data, length);                   \
    pthread_mutex_unlock(&lock);                                                 \
    return result

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    WRAP(real(fd, data, length, offset), 'w', (uint64_t)offset, data, length);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    WRAP(real(fd, data, length, offset), 'w', (uint64_t)offset, data, length);
}

ssize_t write(int fd, const void *data, size_t length) {
    init();
    off_t offset = lseek(fd, 0, SEEK_CUR);
    char probe[PATH_MAX];
    const char *file = inside(fd, probe);
    char kind = file && !strcmp(file, "marker") ? 'm' : 'w';
    WRAP(real_write(fd, data, length), kind, (uint64_t)offset, data, length);
}

int ftruncate64(int fd, off64_t size) {
    int (*real)(int, off64_t) = dlsym(RTLD_NEXT, "ftruncate64");
    WRAP(real(fd, size), 't', (uint64_t)size, NULL, 0);
}

int ftruncate(int fd, off_t size) {
    int (*real)(int, off_t) = dlsym(RTLD_NEXT, "ftruncate");
    WRAP(real(fd, size), 't', (uint64_t)size, NULL, 0);
}

int fsync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    WRAP(real(fd), 's', 0, NULL, 0);
}

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    WRAP(real(fd), 's', 0, NULL, 0);
}

int unlink(const char *path) {
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    const char *folder = getenv("POWERCUT_FOLDER");
    init();
    if (!folder || log_fd < 0 || strncmp(path, folder, strlen(folder)) || path[strlen(folder)] != '/') return real(path);
    pthread_mutex_lock(&lock);
    int result = real(path);
    if (result == 0) record('u', path + strlen(folder) + 1, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
