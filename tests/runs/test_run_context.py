import contextlib
import logging

from rnnexp.runs.run_context import log_file, said_in

_logger = logging.getLogger("rnnexp.somewhere")


def test_each_log_takes_messages_until_it_is_closed(tmp_path):
    package = logging.getLogger("rnnexp")
    level = package.level
    paths = [tmp_path / "first.log", tmp_path / "second.log"]
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    with second:
        with first:
            first.enter_context(log_file(paths[0]))
            second.enter_context(log_file(paths[1]))
            _logger.info("to both")
            with said_in(paths[1]):
                _logger.info("to one")
        _logger.info("after the first")
    _logger.info("after both")
    said = [[line.rpartition(": ")[2] for line in path.read_text().splitlines()] for path in paths]
    assert said == [["to both"], ["to both", "to one", "after the first"]]
    assert package.level == level
