#!/usr/bin/env python3
"""Packs pages as makedumpfile does, with the libraries it uses: zlib, lzo2, snappy, zstd."""
import ctypes, os, zlib

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "../../LICENSE-APACHE"), "rb") as f:
    licence = f.read()
words = b"".join((0xFFFF888000000000 + i * i * 64).to_bytes(8, "little") for i in range(512))
sparse = bytearray(4096)
for i in range(0, 4096, 97):
    sparse[i] = i // 97 + 1
lzo2 = ctypes.CDLL("liblzo2.so.2")
libsnappy = ctypes.CDLL("libsnappy.so.1")
libzstd = ctypes.CDLL("libzstd.so.1")
libzstd.ZSTD_compress.restype = ctypes.c_size_t


def lzo(data, compressor="lzo1x_1_compress"):
    out, size = ctypes.create_string_buffer(len(data) * 2 + 67), ctypes.c_size_t()
    work = ctypes.create_string_buffer(1 << 20)
    status = getattr(lzo2, compressor)(data, ctypes.c_size_t(len(data)), out, ctypes.byref(size), work)
    assert status == 0
    return out.raw[: size.value]


def snappy(data):
    out = ctypes.create_string_buffer(len(data) * 2 + 32)
    size = ctypes.c_size_t(len(out))
    assert libsnappy.snappy_compress(data, ctypes.c_size_t(len(data)), out, ctypes.byref(size)) == 0
    return out.raw[: size.value]


def zstd(data):
    out = ctypes.create_string_buffer(len(data) * 2 + 64)
    size = libzstd.ZSTD_compress(out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), 1)
    return out.raw[:size]


def save(name, data):
    with open(os.path.join(here, name), "wb") as f:
        f.write(data)


for page, data in (("text", licence[:4096]), ("words", words), ("sparse", bytes(sparse))):
    save(page + ".zlib", zlib.compress(data, 1))
    save(page + ".lzo", lzo(data))
    save(page + ".snappy", snappy(data))
    save(page + ".zstd", zstd(data))
# Matches farther away than a page is long.
far = licence + licence[::-1] + licence + bytes(3000) + licence[5:900]
save("far-1.lzo", lzo(far))
save("far-999.lzo", lzo(far, "lzo1x_999_compress"))
