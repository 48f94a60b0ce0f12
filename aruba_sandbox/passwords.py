"""The provider's rule for passwords."""

RULE = (
    "Da 8 a 256 caratteri, con almeno una lettera maiuscola, una lettera minuscola, una cifra e un carattere speciale."
)


def problems(password: str) -> list[str]:
    """What the rule still misses, one sentence each; nothing when the password is good."""
    missing = []
    if not 8 <= len(password) <= 256:
        missing.append("La password deve avere da 8 a 256 caratteri.")
    if not any(map(str.isupper, password)):
        missing.append("Manca una lettera maiuscola.")
    if not any(map(str.islower, password)):
        missing.append("Manca una lettera minuscola.")
    if not any(map(str.isdigit, password)):
        missing.append("Manca una cifra.")
    if all(character.isalnum() or character.isspace() for character in password):
        missing.append("Manca un carattere speciale, per esempio ! ? # @ - _.")
    return missing
