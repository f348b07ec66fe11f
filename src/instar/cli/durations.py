"""Durations as people type them."""

import click

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def spelt(seconds: float) -> str:
    """Return a duration as people type it, in the largest unit that fits it whole."""
    whole = (f"{seconds / size:g}{unit}" for unit, size in reversed(_UNITS.items()) if seconds and not seconds % size)
    return next(whole, f"{seconds:g}s")


class _Duration(click.ParamType[float]):
    """`90s`, `15m`, `12h`, `30d`, `2w` as seconds."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds that `value` names."""
        if not isinstance(value, str):
            return value
        number, unit = value[:-1], value[-1:]
        try:
            return float(number) * _UNITS[unit]
        except (KeyError, ValueError):
            self.fail(f"{value!r} is no duration: use 90s, 15m, 12h, 30d or 2w", param, ctx)


DURATION = _Duration()
