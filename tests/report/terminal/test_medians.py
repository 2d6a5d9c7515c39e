from rnnexp.report.terminal import Medians

NAN = float("nan")


class Shown:
    def __init__(self):
        self.values = []

    def update(self, step, loss, gradient_norm):
        self.values.append((step, loss, gradient_norm))

    def profile(self, log_norms):
        raise NotImplementedError

    def say(self, text):
        raise NotImplementedError


def test_what_all_have_told_is_shown_once_as_its_median():
    shown = Shown()
    medians = Medians(shown)
    medians.show()
    for place, loss in enumerate((0.5, 0.1, 0.2)):
        medians.of(place).update(10, loss, 2 * loss)
    medians.show()
    medians.show()
    assert shown.values == [(10, 0.2, 0.4)]


def test_one_that_diverged_or_is_behind_is_left_out():
    shown = Shown()
    medians = Medians(shown)
    for place, (step, loss) in enumerate([(10, 0.5), (10, NAN), (4, 0.1), (10, 0.3)]):
        medians.of(place).update(step, loss, 1.0)
    medians.show()
    assert shown.values == [(10, 0.4, 1.0)]


def test_where_all_diverged_that_is_shown():
    shown = Shown()
    medians = Medians(shown)
    medians.of(0).update(4, NAN, NAN)
    medians.show()
    ((step, loss, _),) = shown.values
    assert step == 4 and loss != loss
