<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The sidecar's identity of a user: an opaque reference, which requires the identity key.
 */
final class Identity
{
    /**
     * @param string|null $key SIDECAR_IDENTITY_KEY, the same as the sidecar's; null: not configured
     */
    public function __construct(private readonly ?string $key = null)
    {
    }

    /**
     * Return the reference of a user: 32 hex digits of HMAC-SHA256. Null: there is no key, or no user.
     */
    public function reference(int|string|null $userId): ?string
    {
        if ($this->key === null || $userId === null || (string) $userId === '') {
            return null;
        }

        return substr(hash_hmac('sha256', (string) $userId, $this->key), 0, 32);
    }

    /**
     * Return the fields that identify a user: `user_ref`, or `user_id` without a key.
     *
     * @return array<string, string>
     */
    public function fields(int|string|null $userId): array
    {
        $reference = $this->reference($userId);
        if ($reference !== null) {
            return ['user_ref' => $reference];
        }

        return Identifier::isValid((string) $userId) ? ['user_id' => (string) $userId] : [];
    }
}
