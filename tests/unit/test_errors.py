import pickle

from tamflux.errors import InputError


def test_a_message_says_what_where_found_expected_and_fix():
    error = InputError("wrong unit", file="a.nc", variable="t2m", found="m", expected="K", fix="x")
    assert str(error).splitlines() == [
        "wrong unit",
        "  file: a.nc",
        "  variable: t2m",
        "  found: m",
        "  expected: K",
        "  fix: x",
    ]


def test_an_error_keeps_its_details_between_processes():
    error = InputError("wrong unit", variable="t2m", found=0)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is InputError and str(copy) == str(error) and copy.details == error.details
