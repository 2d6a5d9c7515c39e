"""Numbers as text, the same in progress and summary."""


def duration(seconds: float) -> str:
    """Return a duration as text, in two units at most.

    >>> duration(8.25), duration(72), duration(7384)
    ('8.2 s', '1 min 12 s', '2 h 03 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def ratio(value: float) -> str:
    """Return a log10 ratio, decades.

    >>> ratio(-12.314)
    '-12.31'
    """
    return f"{value:z.2f}"


def rate(value: float) -> str:
    """Return a rate, nats per step: over 1000 steps, its last digit is a twentieth of a decade.

    >>> rate(-0.00001)
    '0.0000'
    """
    return f"{value:z.4f}"


def loss(value: float) -> str:
    """Return a loss to four digits.

    >>> loss(1 / 6), loss(float("nan"))
    ('0.1667', 'nan')
    """
    return f"{value:#.4g}"


def norm(value: float) -> str:
    """Return a gradient's norm, of any size in equal width.

    >>> norm(0.00123)
    '1.23e-03'
    """
    return f"{value:.2e}"


def share(value: float) -> str:
    """Return a share in [0, 1] as a percentage.

    >>> share(0.841)
    '84.10 %'
    """
    return f"{100 * value:.2f} %"


def speed(value: float | None) -> str:
    """Return steps per second; "-" before anything is known.

    >>> speed(812.3), speed(0.123), speed(None)
    ('812', '0.12', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def workers(count: int | None) -> str:
    """Return a number of workers in words.

    >>> workers(1), workers(2), workers(None)
    ('1 worker', '2 workers', 'a cluster')
    """
    if count is None:
        return "a cluster"
    return "1 worker" if count == 1 else f"{count} workers"
