import numpy as np
from PIL import Image

from rnnexp.plotting.png import write_png


def test_the_pixels_are_read_back_as_they_were(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)
    write_png(tmp_path / "a.png", pixels, 200)
    with Image.open(tmp_path / "a.png") as image:
        image.verify()  # the sums of all chunks
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
        np.testing.assert_allclose(image.info["dpi"], 200, rtol=1e-4)


def test_a_view_is_written_as_it_looks(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 4), np.uint8)
    write_png(tmp_path / "a.png", pixels[::2, ::-1], 100)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels[::2, ::-1])
