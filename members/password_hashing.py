"""How passwords are kept."""

from django.contrib.auth import hashers


class Argon2PasswordHasher(hashers.Argon2PasswordHasher):
    """Argon2id with the memory (KiB), passes and lanes of OWASP's Password Storage Cheat Sheet.

    Django's own parameters take 100 MiB and eight threads for each attempt: too much where many come in at once.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1
