"""Numbers of things, as people say them."""


def counted(number: int, noun: str) -> str:
    """`1 host`, `3 hosts`, `0 entries`: `noun` in the singular."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("ry") else f"{number} {noun}s"
