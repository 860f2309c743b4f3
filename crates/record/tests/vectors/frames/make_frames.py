#!/usr/bin/env python3
"""Compressed records in every form that the codecs' formats allow, by encoders that are not ours, and what a broker
says to them; README.md says how it is run.

    make_frames.py write FOLDER          writes each form to FOLDER/NAME.bin
    make_frames.py ask PORT TOPIC FOLDER sends each as a batch, prints its name and the broker's error code
"""
import binascii, gzip, io, pathlib, socket, struct, subprocess, sys, zlib

import cramjam, lz4.block, lz4.frame, xxhash, zstandard

RECORDS = 400
CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def value(at):
    return str(at * 7919 % 1000).encode() * 120


def records():
    """The records of the batch: no keys, no headers, all of one time."""
    out = []
    for at in range(RECORDS):
        body = b"\0" + varint(0) + varint(at) + varint(-1) + varint(len(value(at))) + value(at) + varint(0)
        out.append(varint(len(body)) + body)
    return out


PLAIN = b"".join(records())
HALF = len(b"".join(records()[:RECORDS // 2]))
EMPTY = b""


def lz4_frame(data=PLAIN, **options):
    options = {"block_size": lz4.frame.BLOCKSIZE_MAX64KB, "block_linked": False, "store_size": False, **options}
    return lz4.frame.compress(data, **options)


def lz4_by_hand(blocks, flags=0x60, descriptor=0x40, size=b"", content=PLAIN, checksum=None):
    """A frame of raw blocks; those that do not get smaller are stored."""
    head = bytes([flags, descriptor]) + size
    out = struct.pack("<I", 0x184D2204) + head + bytes([xxhash.xxh32_intdigest(head) >> 8 & 0xFF])
    for block in blocks:
        packed = lz4.block.compress(block, store_size=False)
        out += struct.pack("<I", len(packed)) + packed if len(packed) < len(block) else \
            struct.pack("<I", len(block) | 1 << 31) + block
    out += bytes(4)
    if flags & 0x04:
        out += struct.pack("<I", xxhash.xxh32_intdigest(content) if checksum is None else checksum)
    return out


def cut(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]


def skippable(content=b"skip me"):
    return struct.pack("<II", 0x184D2A53, len(content)) + content


def tool(*command):
    return subprocess.run(command, input=PLAIN, stdout=subprocess.PIPE, check=True).stdout


def gzip_member(data=PLAIN, flags=0, fields=b"", level=6):
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    head = b"\x1f\x8b\x08" + bytes([flags]) + struct.pack("<I", 1) + b"\x00\x03" + fields
    if flags & 2:
        head += struct.pack("<H", binascii.crc32(head) & 0xFFFF)
    return head + body + struct.pack("<II", binascii.crc32(data), len(data))


def gzip_stored():
    """The first bytes in blocks of deflate that are stored, one of them empty."""
    stored = b"".join(b"\0" + struct.pack("<HH", len(piece), len(piece) ^ 0xFFFF) + piece
                      for piece in [PLAIN[:3000], EMPTY])
    whole = gzip_member(PLAIN[3000:])
    return whole[:10] + stored + whole[10:-8] + struct.pack("<II", binascii.crc32(PLAIN), len(PLAIN))


def gzip_flushed():
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    out = b"".join(packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH) for piece in cut(PLAIN, 20000))
    return out + packer.flush()


def zstd_frame(data=PLAIN, level=3, size=True, checksum=False, **options):
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, write_content_size=size, write_checksum=checksum, **options)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def zstd_streamed():
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    out = b"".join(packer.compress(piece) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
                   for piece in cut(PLAIN, 20000))
    return out + packer.flush()


def zstd_with_a_window_of(log):
    """As a stream, whose size nobody knows before: the window stays as large as was asked for."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=log)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(PLAIN) + packer.flush()


def zstd_with_dictionary():
    dictionary = zstandard.train_dictionary(4096, [value(at) for at in range(RECORDS)])
    return zstandard.ZstdCompressor(level=3, dict_data=dictionary).compress(PLAIN)


def zstd_magicless():
    parameters = zstandard.ZstdCompressionParameters.from_level(3, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(PLAIN)


def xerial(blocks, version=1, compatible=1):
    out = b"\x82SNAPPY\0" + struct.pack(">ii", version, compatible)
    for block in blocks:
        packed = bytes(cramjam.snappy.compress_raw(block))
        out += struct.pack(">i", len(packed)) + packed
    return out


def forms():
    first, second = PLAIN[:HALF], PLAIN[HALF:]
    return {
        "gzip-plain": gzip.compress(PLAIN, mtime=1),
        "gzip-best": gzip_member(level=9),
        "gzip-stored": gzip_stored(),
        "gzip-flushed": gzip_flushed(),
        "gzip-tool": tool("gzip", "-c"),
        "gzip-name-comment-extra-crc": gzip_member(flags=0x1E, fields=b"\x04\x00abcdname\0comment\0"),
        "gzip-two-members": gzip_member(first) + gzip_member(second),
        "gzip-empty-member-first": gzip_member(EMPTY) + gzip_member(),
        "gzip-empty-member-last": gzip_member() + gzip_member(EMPTY),
        "gzip-zeros-behind": gzip_member() + bytes(16),
        "gzip-junk-behind": gzip_member() + b"junk that is no member",
        "gzip-reserved-flag": gzip_member(flags=0x20),
        "gzip-zlib-instead": zlib.compress(PLAIN),
        "gzip-deflate-instead": zlib.compress(PLAIN)[2:-4],
        "snappy-raw": bytes(cramjam.snappy.compress_raw(PLAIN)),
        "snappy-xerial": xerial(cut(PLAIN, 32768)),
        "snappy-xerial-large-blocks": xerial([PLAIN]),
        "snappy-xerial-version-2": xerial(cut(PLAIN, 32768), version=2),
        "snappy-xerial-compatible-2": xerial(cut(PLAIN, 32768), version=2, compatible=2),
        "snappy-xerial-empty-block": xerial([EMPTY, *cut(PLAIN, 32768), EMPTY]),
        "snappy-xerial-two": xerial([first]) + xerial([second]),
        "snappy-stream-instead": bytes(cramjam.snappy.compress(PLAIN)),
        "lz4-independent": lz4_frame(),
        "lz4-linked": lz4_frame(block_linked=True),
        "lz4-tool": tool("lz4", "-c", "-z"),
        "lz4-tool-linked": tool("lz4", "-c", "-z", "-BD", "-B4"),
        "lz4-256k": lz4_frame(block_size=lz4.frame.BLOCKSIZE_MAX256KB),
        "lz4-1m": lz4_frame(block_size=lz4.frame.BLOCKSIZE_MAX1MB),
        "lz4-4m": lz4_frame(block_size=lz4.frame.BLOCKSIZE_MAX4MB),
        "lz4-high": lz4_frame(compression_level=12),
        "lz4-block-checksums": lz4_frame(block_checksum=True),
        "lz4-content-checksum": lz4_frame(content_checksum=True),
        "lz4-content-size": lz4_frame(store_size=True),
        "lz4-all-of-them": lz4_frame(block_checksum=True, content_checksum=True, store_size=True),
        "lz4-small-blocks": lz4_by_hand(cut(PLAIN, 5000)),
        "lz4-stored-blocks": lz4_by_hand([*cut(PLAIN[:1400], 7), *cut(PLAIN[1400:], 60000)]),
        "lz4-wrong-content-checksum": lz4_by_hand(cut(PLAIN, 65536), flags=0x64, checksum=1),
        "lz4-no-content-checksum": lz4_by_hand(cut(PLAIN, 65536), flags=0x64)[:-4],
        "lz4-wrong-content-size": lz4_by_hand(cut(PLAIN, 65536), flags=0x68, size=struct.pack("<Q", 7)),
        "lz4-dictionary": lz4_by_hand(cut(PLAIN, 65536), flags=0x61, size=struct.pack("<I", 7)),
        "lz4-two-frames": lz4_frame(first) + lz4_frame(second),
        "lz4-empty-frame-first": lz4_frame(EMPTY) + lz4_frame(),
        "lz4-empty-frame-last": lz4_frame() + lz4_frame(EMPTY),
        "lz4-skippable-first": skippable() + lz4_frame(),
        "lz4-skippable-last": lz4_frame() + skippable(),
        "lz4-junk-behind": lz4_frame() + b"junk",
        "lz4-no-end-mark": lz4_frame()[:-4],
        "lz4-legacy": tool("lz4", "-c", "-z", "-l"),
        "zstd-plain": zstd_frame(),
        "zstd-without-size": zstd_frame(size=False),
        "zstd-checksum": zstd_frame(checksum=True),
        "zstd-streamed": zstd_streamed(),
        "zstd-fast": zstd_frame(level=-5),
        "zstd-19": zstd_frame(level=19),
        "zstd-22": zstd_frame(level=22, size=False),
        "zstd-window-2-27": zstd_with_a_window_of(27),
        "zstd-window-2-28": zstd_with_a_window_of(28),
        "zstd-tool": tool("zstd", "-c"),
        "zstd-two-frames": zstd_frame(first) + zstd_frame(second),
        "zstd-empty-frame-first": zstd_frame(EMPTY) + zstd_frame(),
        "zstd-empty-frame-last": zstd_frame() + zstd_frame(EMPTY),
        "zstd-skippable-first": skippable() + zstd_frame(),
        "zstd-skippable-between": zstd_frame(first) + skippable() + zstd_frame(second),
        "zstd-skippable-last": zstd_frame() + skippable(),
        "zstd-junk-behind": zstd_frame() + b"junk",
        "zstd-magicless": zstd_magicless(),
        "zstd-dictionary": zstd_with_dictionary(),
    }


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def batch(codec, payload):
    body = struct.pack(">hiqqqhii", CODECS[codec], RECORDS - 1, TIME, TIME, -1, -1, -1, RECORDS) + payload
    return struct.pack(">qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body


TIME = 1_700_000_000_000


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def produce(port, topic, records):
    """Produce v7, acks=1; v3 to v6 may not carry zstd. The error code of the one partition."""
    body = struct.pack(">hhi", -1, 1, 10_000) + struct.pack(">i", 1) + string(topic)
    body += struct.pack(">ii", 1, 0) + struct.pack(">i", len(records)) + records
    request = struct.pack(">hhi", 0, 7, 1) + string("frames") + body
    with socket.create_connection(("localhost", port)) as sock:
        sock.sendall(struct.pack(">i", len(request)) + request)
        stream = sock.makefile("rb")
        size, = struct.unpack(">i", stream.read(4))
        answer = stream.read(size)
    return struct.unpack_from(">h", answer, 4 + 4 + 2 + len(topic) + 4 + 4)[0]


def main(how, *rest):
    if how == "write":
        for name, content in forms().items():
            (pathlib.Path(rest[0]) / f"{name}.bin").write_bytes(content)
    else:
        port, topic, folder = rest
        for path in sorted(pathlib.Path(folder).glob("*.bin")):
            codec = path.stem.split("-")[0]
            print(path.stem, produce(int(port), topic, batch(codec, path.read_bytes())), flush=True)


main(*sys.argv[1:])
