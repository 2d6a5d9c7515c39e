import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.csv_column import read_column


@pytest.fixture
def written(tmp_path):
    def write(text, encoding="utf-8"):
        file = tmp_path / "data.csv"
        file.write_bytes(text.encode(encoding))
        return file

    return write


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a\n1\n2.5\n-3e1\n", None),
        ("date,a\n2020-01-31,1\n2020-02-01,2.5\n2020-02-02,-30\n", None),
        ("b,a\nx,1\ny,2.5\nz,-30\n", "a"),
        ('"a", b \r\n1,9\r\n\r\n2.5,9\r\n-30,9\r\n', "a"),
        ("\ufeffa,b\n1,0\n2.5,0\n-30,0\n", "a"),
        ("when,a\n2020-01-31,1\n2020-02-29,2.5\n2020-03-31,-30\n", None),
        ("when,a\n2020-01-01,1\n2020-04-01,2.5\n2020-07-01,-30\n", None),
        ("when,a\n2020-01-01T00:00,1\n2020-01-01T06:00,2.5\n2020-01-01T12:00,-30\n", None),
    ],
)
def test_the_numbers_of_a_column(written, text, column):
    np.testing.assert_array_equal(read_column(written(text), column), [1, 2.5, -30])


POINT = "numbers with a decimal point"


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", None, "path: expected a CSV file that is not empty, received '{}'"),
        ("a,b\n", "a", "path: expected rows below the line of names, received '{} with that line alone'"),
        (
            "a;b\n1,5;2\n",
            "a",
            f"path: expected cells separated by commas and {POINT}, received 'semicolons in line 1: a;b'",
        ),
        ('a\n1\n"1,5"\n', "a", f"column: expected {POINT} in a, received \"'1,5' in line 3\""),
        ("a,b\n1,2\n,3\n", "a", "column: expected no gap in a, received \"'' in line 3\""),
        ("a\n1\nNaN\n", "a", "column: expected no gap in a, received \"'NaN' in line 3\""),
        ("a\n1\ninf\n", "a", "column: expected numbers in a, received \"'inf' in line 3\""),
        ("a,b\nred,1\nblue,2\n", "a", "column: expected numbers in a, received \"'red' in line 2\""),
        ("1,2\n3,4\n", None, "path: expected a first line that names the columns, received '1,2'"),
        ("a,a\n3,4\n", "a", "path: expected a name of its own for every column, received 'a,a'"),
        ("a,b\n1\n", "a", "path: expected 2 cells in every line, as in the first, received '1 in line 2: 1'"),
        (
            "sales,cost\n1,2\n",
            "sale",
            "column: expected one of sales, cost (did you mean sales?), received 'sale'",
        ),
        ("sales,cost\n1,2\n", None, "column: expected one of sales, cost, received None"),
        ("sales,cost\n1,2\n", 3, "column: expected one of sales, cost, received 3"),
        (
            "day,a\n2020-01-01,1\n2020-01-02,2\n2020-01-05,3\n2020-01-06,4\n",
            None,
            "path: expected dates at equal distances in day, or no dates, "
            "received '2020-01-02 and then 2020-01-05 in line 4'",
        ),
        (
            "day,a\n2020-01-01,1\n2020-02-01,2\n2020-04-01,3\n2020-05-01,4\n",
            None,
            "path: expected dates at equal distances in day, or no dates, "
            "received '2020-02-01 and then 2020-04-01 in line 4'",
        ),
        (
            "day,a\n2020-01-01,1\n2020-01-01,2\n",
            None,
            "path: expected dates at equal distances in day, or no dates, "
            "received '2020-01-01 and then 2020-01-01 in line 3'",
        ),
    ],
)
def test_wrong_data_is_named_in_one_sentence(written, text, column, said):
    path = written(text)
    with pytest.raises(ArgumentError) as caught:
        read_column(path, column)
    assert str(caught.value) == said.format(path)


@pytest.mark.parametrize("missing", ["no/such/file.csv", "", "zero\0byte", ".", 7])
def test_a_file_that_cannot_be_read_is_named(missing):
    with pytest.raises(ArgumentError) as caught:
        read_column(missing, None)
    assert str(caught.value) == f"path: expected a readable CSV file in UTF-8, received {missing!r}"


def test_a_file_that_is_not_utf_8_is_named(written):
    with pytest.raises(ArgumentError, match="^path: expected a readable CSV file in UTF-8, received '"):
        read_column(written("größe\n1\n", "latin-1"), None)
