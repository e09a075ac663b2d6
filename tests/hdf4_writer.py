"""Small MODIS files in NASA's layout, for tests."""

import numpy as np
from pyhdf.SD import SD, SDC

_TYPES = {"int16": SDC.INT16, "uint8": SDC.UINT8, "uint16": SDC.UINT16}


def write_hdf4(path, fields, attributes=None, scale=0.0001, fill=None):
    """Write arrays by name; int16 ones get a scale and a fill value. Returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = SD(str(path), SDC.WRITE | SDC.CREATE | SDC.TRUNC)
    for name, text in (attributes or {}).items():
        setattr(file, name, text)
    for name, values in fields.items():
        data = file.create(name, _TYPES[str(values.dtype)], values.shape)
        if values.dtype == np.int16:
            data.attr("scale_factor").set(SDC.FLOAT64, scale)
            data.attr("add_offset").set(SDC.FLOAT64, 0.0)
            if fill is not None:
                data.attr("_FillValue").set(SDC.INT16, fill)
        data[:] = values
        data.endaccess()
    file.end()
    return path


def mcd43c4_name(date):
    """Name of the file of a day, as delivered."""
    date = np.datetime64(date, "D")
    year = date.astype("datetime64[Y]")
    day = (date - year.astype("datetime64[D]")).astype(int) + 1
    return f"MCD43C4.A{year}{day:03d}.061.2022001000000.hdf"


def write_mcd43c4(folder, date, numbers, quality=None, **options):
    """Write one MCD43C4 file; numbers (band, row, col) or (row, col), 90 N first."""
    numbers = np.asarray(numbers, np.int16)
    numbers = np.broadcast_to(numbers, (7, *numbers.shape[-2:]))
    fields = {f"Nadir_Reflectance_Band{b}": numbers[b - 1].copy() for b in range(1, 8)}
    quality = np.zeros(numbers.shape[1:]) if quality is None else quality
    fields["BRDF_Quality"] = np.asarray(quality, np.uint8)
    return write_hdf4(folder / mcd43c4_name(date), fields, **({"fill": 32767} | options))


def write_mod09cmg(folder, date, numbers, state=None, cloud_mask=None):
    """Write one MOD09CMG file; state and cloud mask (row, col), clear land by default."""
    numbers = np.asarray(numbers, np.int16)
    shape = numbers.shape[-2:]
    numbers = np.broadcast_to(numbers, (7, *shape))
    prefix = "Coarse Resolution"
    fields = {f"{prefix} Surface Reflectance Band {b}": numbers[b - 1].copy() for b in range(1, 8)}
    land, clear = np.full(shape, 0b1000), np.full(shape, 0b10)
    fields[f"{prefix} State QA"] = np.asarray(land if state is None else state, np.uint16)
    fields[f"{prefix} Internal CM"] = np.asarray(
        clear if cloud_mask is None else cloud_mask, np.uint16
    )
    name = mcd43c4_name(date).replace("MCD43C4", "MOD09CMG")
    return write_hdf4(folder / name, fields, fill=-28672)
