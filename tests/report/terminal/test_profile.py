import math

from rnnexp.report.terminal.profile import profile_lines

DECADE = math.log(10)


def test_a_profile_falls_from_the_last_step_to_the_first():
    lines = profile_lines([-6 * DECADE * lag / 99 for lag in range(99, -1, -1)], width=80)
    assert len(lines) == 5 and max(map(len, lines)) <= 80
    assert lines[0].startswith(" 10^0.0 ") and lines[3].startswith("10^-6.0 ")
    assert lines[0].endswith("█") and not lines[0][8:40].strip()
    assert lines[4].split() == ["t", "=", "1", "t", "=", "100"]


def test_heights_are_the_logarithms():
    lines = profile_lines([0.0] * 6 + [-1 * DECADE] * 6 + [-2 * DECADE] * 6, width=60, height=4)
    heights = [sum(" ▁▂▃▄▅▆▇█".index(line[8 + column]) for line in lines[:4]) for column in (0, 6, 12)]
    assert heights[0] == 32 and heights[2] == 1
    assert abs(heights[1] - 16.5) <= 1


def test_what_is_not_finite_is_left_empty():
    assert profile_lines([-math.inf, math.nan], width=40) == []
    lines = profile_lines([-math.inf] * 10 + [0.0] * 10, width=40)
    assert all(line[8:18].strip() == "" for line in lines[:4])


def test_a_short_profile_is_as_wide_as_its_labels():
    lines = profile_lines([0.0, 1.0], width=40)
    assert lines[-1].split() == ["t", "=", "1", "t", "=", "2"]
