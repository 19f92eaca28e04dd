# The sidecar in a container: installed from locked requirements, run without root, with write access to its journal only.
#
#   docker build -t reverb-sidecar .
#   docker run --read-only --cap-drop ALL -v sidecar-data:/var/lib/reverb-sidecar \
#     -v ./deploy/sidecar.yaml:/etc/reverb-sidecar/sidecar.yaml:ro --env-file .env -p 8700:8700 -p 127.0.0.1:8701:8701 reverb-sidecar

# A release pins it by digest: --build-arg BASE=python:3.13-slim-bookworm@sha256:...
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/sidecar
COPY requirements/run.txt requirements/run.txt
RUN pip --python /opt/sidecar/bin/python install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY clients/browser/payment-refresh.js clients/browser/payment-refresh.js
COPY sidecar sidecar
RUN pip --python /opt/sidecar/bin/python install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/sidecar/bin/python -m compileall -q /opt/sidecar/lib

FROM ${BASE}
COPY --from=build /opt/sidecar /opt/sidecar
RUN groupadd --system --gid 10001 sidecar \
    && useradd --system --uid 10001 --gid sidecar --no-create-home --home-dir /var/lib/reverb-sidecar sidecar \
    && install -d -o sidecar -g sidecar -m 0700 /var/lib/reverb-sidecar
ENV PATH=/opt/sidecar/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SIDECAR_CONFIG=/etc/reverb-sidecar/sidecar.yaml
WORKDIR /var/lib/reverb-sidecar
VOLUME /var/lib/reverb-sidecar
USER 10001:10001
EXPOSE 8700 8701
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8701/healthz', timeout=2)"]
ENTRYPOINT ["sidecar"]
CMD ["run"]
