"""Tables of points, and the message of each mistake."""

import pytest

from tamflux.errors import InputError
from tamflux.readers.points import read_points


def test_points_of_a_table_with_other_columns(tmp_path):
    (tmp_path / "p.csv").write_text("Site_ID, LAT ,lon,note\nHainich, 51.08,10.45,x\nb,-3,300,\n")
    points = read_points(tmp_path / "p.csv")
    assert points.to_dict("list") == {
        "site_id": ["Hainich", "b"], "lat": [51.08, -3.0], "lon": [10.45, 300.0],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("site_id,lat\na,1\n", "lacks columns"),
        ("site_id,lat,lon\n", "has no row"),
        ("site_id,lat,lon\na,91,0\n", "a lat is not on Earth"),
        ("site_id,lat,lon\na,51N,0\n", "a lat is not on Earth"),
        ("site_id,lat,lon\n../a,1,0\n", "cannot be a file name"),
        ("site_id,lat,lon\na,1,0\nA,1,1\n", "is repeated"),
    ],
)
def test_mistakes(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_points(tmp_path / "p.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_points(tmp_path / "absent.csv")
