#!/usr/bin/env python3
"""unpack.py PACK.zip [-o DIR] [-n]: restores the DICOM files of a radtier pack without radtier.

It needs the pack alone: the index is found by walking the local headers of
the ZIP, so a lost central directory, manifest or hot bundle does not matter.
Every restored file is compared with the SHA-256 of the file that was received.
docs/pack-format.md describes what is read here.

Python 3.8 or later and zstd: the module zstandard, or Python 3.14, or the
program zstd. HTJ2K frames, which is most of them, need the program
opj_decompress of OpenJPEG 2.5 or later (Debian package libopenjp2-tools). JPEG-LS and RLE frames
are decoded in plain Python: exact, and slow (seconds per image).

Exit status: 0 everything restored, 1 something was not.
"""
import argparse, array, hashlib, os, re, struct, subprocess, sys, tempfile

BYTES, ZSTD, JPEGLS, HTJ2K, RLE = range(5)
HEADER, FRAME, ENTRY = range(3)


def zstd(data):
    """Decompresses one zstd frame."""
    try:
        from zstandard import ZstdDecompressor
        return ZstdDecompressor().decompress(data)
    except ImportError:
        pass
    try:
        from compression.zstd import decompress
        return decompress(data)
    except ImportError:
        pass
    try:
        return subprocess.run(["zstd", "-dcq", "--long=31"], input=data, stdout=subprocess.PIPE, check=True).stdout
    except FileNotFoundError:
        sys.exit("unpack.py needs zstd: install the Python module zstandard or the program zstd")


# ---- the ZIP and the index

def find_index(f):
    """Walks the local headers from the front and returns the payload of index.rti."""
    pos = 0
    while True:
        f.seek(pos)
        head = f.read(30)
        if len(head) < 30 or head[:4] != b"PK\3\4":
            sys.exit("no index.rti: the pack is cut short or damaged at byte %d" % pos)
        size, _, names, extras = struct.unpack("<IIHH", head[18:30])
        name, extra = f.read(names), f.read(extras)
        if size == 0xFFFFFFFF:
            size = struct.unpack_from("<Q", extra, 4)[0]
        if name == b"index.rti":
            return f.read(size)
        pos += 30 + names + extras + size


class Columns:
    """Reads the columns of an index body."""

    def __init__(self, body):
        self.body, self.pos = body, 0

    def uint(self):
        value = shift = 0
        while True:
            b = self.body[self.pos]
            self.pos += 1
            value |= (b & 127) << shift
            shift += 7
            if b < 128:
                return value

    def int(self):
        v = self.uint()
        return v >> 1 if v & 1 == 0 else -(v >> 1) - 1

    def plain(self, n):
        return [self.uint() for _ in range(n)]

    def delta(self, n):
        out, last = [], 0
        for _ in range(n):
            last += self.int()
            out.append(last)
        return out

    def raw(self, n):
        self.pos += n
        return self.body[self.pos - n:self.pos]


class Record:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def records(n, **columns):
    return [Record(**{k: v[i] for k, v in columns.items()}) for i in range(n)]


def place(list_):
    """Turns gaps into offsets."""
    end = 0
    for r in list_:
        r.offset = end + r.gap
        end = r.offset + r.size


def read_index(p):
    """Returns blocks, entries and instances."""
    version, flags = struct.unpack_from("<II", p, 8)
    if p[:8] != b"RTINDEX\n" or hashlib.sha256(p[:32] + p[64:]).digest() != p[32:64]:
        sys.exit("the index is damaged; its copy in the study's hot bundle is pNNN/index.rti")
    if version != 1 or flags:
        sys.exit("the index has version %d and flags %d; this script reads version 1" % (version, flags))
    c = Columns(zstd(p[64:]))
    texts, last = [], b""
    for _ in range(c.uint()):
        shared, own = c.uint(), c.uint()
        last = last[:shared] + c.raw(own)
        texts.append(last.decode("latin-1"))
    c.plain(2)  # study, writer
    n = c.uint()
    blocks = records(n, gap=c.plain(n), size=c.plain(n), raw=c.plain(n))
    n = c.uint()
    entries = records(n, gap=c.plain(n), size=c.delta(n), raw=c.delta(n), coding=c.plain(n), levels=c.plain(n))
    for e in entries:
        c.delta(e.levels)
    images = []
    for _ in range(c.uint()):
        rows, columns, _, samples, allocated, stored, _ = [c.int() for _ in range(7)]
        bits = c.uint()
        images.append(Record(rows=rows, columns=columns, samples=samples, allocated=allocated, stored=stored, planar=bits & 2, big=bits & 4))
        c.plain(2)  # photometric interpretation, modality
    n = c.uint()
    uids = [c.delta(n) for _ in range(6)]
    instances = records(n, series=uids[0], sop=uids[1], flags=c.plain(n), image=c.plain(n), block=c.delta(n), gap=c.plain(n), nframes=c.plain(n), nsegments=c.plain(n))
    n = sum(i.nframes for i in instances)
    frames = records(n, entry=c.delta(n), residue=c.plain(n), flags=c.plain(n))
    n = sum(i.nsegments for i in instances)
    segments = records(n, kind=c.plain(n), length=c.plain(n), ref=c.delta(n), offset=c.plain(n))
    c.uint()  # stretches
    for r in blocks + entries:
        r.sha = c.raw(32)
    for f in frames:
        c.raw(32 * (f.flags >> 1 & 1))
    place(blocks)
    place(entries)
    f = s = 0
    last = None
    for i in instances:
        i.series, i.sop = texts[i.series], texts[i.sop]
        i.image = images[i.image - 1] if i.image else None
        i.frames, i.segments = frames[f:f + i.nframes], segments[s:s + i.nsegments]
        f, s = f + i.nframes, s + i.nsegments
        i.exact = i.flags & 1
        i.sha = c.raw(32 * (i.flags >> 1 & 1))
        c.raw(32 * (i.flags >> 4 & 1) + 32 * (i.flags >> 2 & 1))
        i.size = sum(x.length for x in i.segments if x.kind == HEADER)
        i.offset = i.gap + (last.offset + last.size if last and last.block == i.block else 0)
        last = i
    return blocks, entries, instances


# ---- frames

def bits_of(scan):
    """Returns the bits of an entropy-coded segment as text, without the bit that T.87 9.1 stuffs after FF, and its length."""
    end = 0
    while True:
        end = scan.index(b"\xff", end)
        if scan[end + 1] >= 0x80:
            break
        end += 1
    parts = scan[:end].split(b"\xff")
    text = [bin(int.from_bytes(b"\1" + parts[0], "big"))[3:]]
    for p in parts[1:]:
        text.append("11111111" + bin(int.from_bytes(b"\1" + p, "big"))[4:])
    return "".join(text), end


RUN = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15]


class Scan:
    """One lossless JPEG-LS scan (ITU-T T.87 Annex A)."""

    def __init__(self, bits, maxval, thresholds, reset):
        self.bits, self.pos, self.maxval, self.reset = bits, 0, maxval, reset
        self.range = maxval + 1
        self.qbpp = maxval.bit_length()
        self.limit = 2 * (max(2, self.qbpp) + max(8, self.qbpp))
        self.A = [max(2, (self.range + 32) // 64)] * 367
        self.B, self.C, self.N, self.Nn = [0] * 365, [0] * 365, [1] * 367, [0] * 367
        t1, t2, t3 = thresholds
        half = [0] + [1 + (d >= t1) + (d >= t2) + (d >= t3) for d in range(1, self.range)]
        self.Q = half + [-q for q in half[:0:-1]]  # Q[d] also for negative d

    def golomb(self, k, limit):
        one = self.bits.index("1", self.pos)
        zeros, self.pos = one - self.pos, one + 1
        if zeros >= limit - self.qbpp - 1:
            zeros, k, more = 0, self.qbpp, 1
        else:
            more = 0
        if k == 0:
            return zeros
        self.pos += k
        return (zeros << k) + int(self.bits[self.pos - k:self.pos], 2) + more

    def regular(self, a, b, c, d):
        q = 81 * self.Q[d - b] + 9 * self.Q[b - c] + self.Q[c - a]
        sign = 1
        if q < 0:
            q, sign = -q, -1
        x = min(a, b) if c >= max(a, b) else max(a, b) if c <= min(a, b) else a + b - c
        x = min(max(x + sign * self.C[q], 0), self.maxval)
        A, B, N, k = self.A[q], self.B[q], self.N[q], 0
        while N << k < A:
            k += 1
        m = self.golomb(k, self.limit)
        e = -(m + 1 >> 1) if m & 1 else m >> 1
        if k == 0 and 2 * B <= -N:
            e = -e - 1
        A, B = A + abs(e), B + e
        if N == self.reset:
            A, B, N = A >> 1, B >> 1, N >> 1
        N += 1
        if B <= -N:
            B = max(B + N, 1 - N)
            self.C[q] = max(self.C[q] - 1, -128)
        elif B > 0:
            B = min(B - N, 0)
            self.C[q] = min(self.C[q] + 1, 127)
        self.A[q], self.B[q], self.N[q] = A, B, N
        return (x + sign * e) % self.range

    def interrupted(self, a, b, index, same):
        """The sample that ends a run; same is RItype, which is 0 in scans interleaved by sample."""
        q, k = 365 + same, 0
        N = self.N[q]
        temp = self.A[q] + (N >> 1 if same else 0)
        while N << k < temp:
            k += 1
        m = self.golomb(k, self.limit - RUN[index] - 1)
        e, odd = m + same + 1 >> 1, (m + same) & 1
        if bool(odd) == (k != 0 or 2 * self.Nn[q] >= N):
            e = -e
        self.Nn[q] += e < 0
        self.A[q] += m + 1 - same >> 1
        if N == self.reset:
            self.A[q], N, self.Nn[q] = self.A[q] >> 1, N >> 1, self.Nn[q] >> 1
        self.N[q] = N + 1
        return (b - e if a > b and not same else b + e) % self.range

    def run(self, left, index):
        """Returns the length of a run, the new run index, and whether a sample ends it."""
        n = 0
        while self.bits[self.pos] == "1":
            self.pos += 1
            step = 1 << RUN[index]
            if n + step > left:
                return left, index, False
            n, index = n + step, min(index + 1, 31)
            if n == left:
                return n, index, False
        k = RUN[index]
        self.pos += 1 + k
        return n + int("0" + self.bits[self.pos - k:self.pos], 2), index, True

    def line(self, above, index, width):
        """Decodes one line of samples, or of tuples of samples, under the line above. Lines have a sample more at both ends."""
        # One component is the case of tuples of length 1.
        Q, count = self.Q, len(above)
        now = [[p[1]] for p in above]
        x = 1
        while x <= width:
            near = [(now[i][x - 1], p[x], p[x - 1], p[x + 1]) for i, p in enumerate(above)]
            if any(Q[d - b] or Q[b - c] or Q[c - a] for a, b, c, d in near):
                for i, n in enumerate(near):
                    # A component without gradient is coded in context 0 if another one has a gradient.
                    now[i].append(self.regular(*n))
                x += 1
                continue
            n, index, broken = self.run(width + 1 - x, index)
            for line in now:
                line.extend(line[-1:] * n)
            x += n
            if broken:
                for line, p in zip(now, above):
                    same = int(count == 1 and line[-1] == p[x])
                    line.append(self.interrupted(line[-1], p[x], index, same))
                index = max(index - 1, 0)
                x += 1
        for line in now:
            line.append(line[-1])
        return now, index


def jpegls(p):
    """Decodes a lossless JPEG-LS stream into one list of samples per component."""
    preset, planes, pos = None, {}, 2
    while p[pos + 1] != 0xD9:
        marker, size = p[pos + 1], struct.unpack_from(">H", p, pos + 2)[0]
        body, pos = p[pos + 4:pos + 2 + size], pos + 2 + size
        if marker == 0xF7:
            bits, height, width, _ = struct.unpack_from(">BHHB", body)
        elif marker == 0xF8 and body[0] == 1:
            preset = struct.unpack_from(">5H", body, 1)
        elif marker == 0xDD:
            raise ValueError("restart markers")
        elif marker == 0xDA:
            ids = [body[1 + 2 * i] for i in range(body[0])]
            near, ilv = body[1 + 2 * len(ids):][:2]
            if near:
                raise ValueError("near-lossless stream")
            text, used = bits_of(p[pos:])
            scan = Scan(text, *parameters(bits, preset))
            pos += used
            groups = [[i] for i in ids] if ilv == 1 else [ids]  # what is decoded sample by sample, group after group in a line
            above, index = [[[0] * (width + 2) for _ in g] for g in groups], [0] * len(groups)
            for i in ids:
                planes[i] = []
            for _ in range(height):
                for n, g in enumerate(groups):
                    above[n], index[n] = scan.line(above[n], index[n], width)
                    for i, line in zip(g, above[n]):
                        planes[i].extend(line[1:-1])
    return list(planes.values())


def parameters(bits, preset):
    """Thresholds and reset value (T.87 C.2.4.1.1); a preset of 0 means the default."""
    maxval, t1, t2, t3, reset = preset or (0, 0, 0, 0, 0)
    maxval = maxval or (1 << bits) - 1
    clamp = lambda v, least: v if least <= v <= maxval else least
    if maxval >= 128:
        f = (min(maxval, 4095) + 128) // 256
        d = f + 2, 4 * f + 3, 17 * f + 4
    else:
        f = 256 // (maxval + 1)
        d = max(2, 3 // f), max(3, 7 // f), max(4, 21 // f)
    t1 = t1 or clamp(d[0], 1)
    t2 = t2 or clamp(d[1], t1)
    return maxval, (t1, t2, t3 or clamp(d[2], t2)), reset or 64


def rle(p, image):
    """Decodes a frame of PS3.5 Annex G into one list of samples per component."""
    count, *offsets = struct.unpack_from("<16I", p)
    offsets = offsets[:count] + [len(p)]
    size, width = image.rows * image.columns, image.allocated // 8
    planes = []
    for s in range(count):
        pos, end, out = offsets[s], offsets[s + 1], bytearray()
        while pos < end and len(out) < size:
            n = p[pos]
            if n < 128:
                out += p[pos + 1:pos + 2 + n]
                pos += 2 + n
            else:
                out += p[pos + 1:pos + 2] * (257 - n) if n > 128 else b""
                pos += 2 if n > 128 else 1
        if s % width == 0:
            planes.append(list(out[:size]))
        else:
            planes[-1] = [hi << 8 | lo for hi, lo in zip(planes[-1], out)]
    return planes


def htj2k(p, image):
    """Decodes an HTJ2K codestream into one list of samples per component, with a program of OpenJPEG."""
    with tempfile.TemporaryDirectory() as folder:
        stream, samples = os.path.join(folder, "frame.j2k"), os.path.join(folder, "frame.rawl")
        with open(stream, "wb") as f:
            f.write(p)
        try:
            done = subprocess.run(["opj_decompress", "-i", stream, "-o", samples], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except FileNotFoundError:
            raise ValueError("HTJ2K frames need the program opj_decompress of OpenJPEG 2.5 or later (Debian package libopenjp2-tools)")
        if done.returncode or not os.path.exists(samples):
            raise ValueError("opj_decompress: " + done.stdout.decode("latin-1").strip()[-300:])
        with open(samples, "rb") as f:
            raw = f.read()
    words = array.array("B" if image.stored <= 8 else "H", raw)  # bytes or little endian words, component after component
    if sys.byteorder == "big":
        words.byteswap()
    size = image.rows * image.columns
    if len(words) != size * image.samples:
        raise ValueError("opj_decompress gave %d samples, %d are wanted" % (len(words), size * image.samples))
    return [list(words[i:i + size]) for i in range(0, len(words), size)]


def lay_out(planes, image, sign_fill):
    """Puts samples into words as they were received."""
    mask, full = (1 << image.stored) - 1, (1 << image.allocated) - 1
    half = mask + 1 >> 1
    if image.planar or len(planes) == 1:
        samples = [v & mask for p in planes for v in p]
    else:
        samples = [v & mask for pixel in zip(*planes) for v in pixel]
    if sign_fill:
        samples = [v if v < half else v | full - mask for v in samples]
    if image.allocated == 8:
        return bytes(samples)
    words = array.array("H", samples)
    if (sys.byteorder == "big") != bool(image.big):
        words.byteswap()
    return words.tobytes()


# ---- files

class Pack:
    def __init__(self, file):
        self.file = file
        self.blocks, self.entries, self.instances = read_index(find_index(file))
        self.block = None, None

    def read(self, r, what):
        self.file.seek(r.offset)
        p = self.file.read(r.size)
        if hashlib.sha256(p).digest() != r.sha:
            raise ValueError("%s at byte %d is damaged" % (what, r.offset))
        return p

    def raw(self, e, what):
        """Bytes of an entry as received, if no image codec made them."""
        p = self.read(e, what)
        return zstd(p) if e.coding == ZSTD else p

    def header(self, i):
        if self.block[0] != i.block:
            self.block = i.block, zstd(self.read(self.blocks[i.block], "header block"))
        return self.block[1][i.offset:i.offset + i.size]

    def frame(self, i, n):
        f = i.frames[n]
        e = self.entries[f.entry]
        p = self.raw(e, "frame %d" % n)
        if e.coding in (BYTES, ZSTD):
            return p
        planes = jpegls(p) if e.coding == JPEGLS else htj2k(p, i.image) if e.coding == HTJ2K else rle(p, i.image)
        p = lay_out(planes, i.image, f.flags & 1)
        if f.residue:
            diff = zstd(self.read(self.entries[f.entry + f.residue], "residue %d" % n))
            p = (int.from_bytes(p, "big") ^ int.from_bytes(diff, "big")).to_bytes(len(p), "big")
        return p

    def restore(self, i, out):
        """Writes the received file of an instance, piece by piece, and checks it."""
        if not i.exact:
            raise ValueError("was transcoded when it was stored: its elements and samples are in the pack, the received file is not")
        header, sha, last, raw = self.header(i), hashlib.sha256(), None, b""
        for s in i.segments:
            if s.kind == HEADER:
                p, header = header[:s.length], header[s.length:]
            else:
                if last != (s.kind, s.ref):
                    last, raw = (s.kind, s.ref), self.frame(i, s.ref) if s.kind == FRAME else self.raw(self.entries[s.ref], "value")
                p = raw[s.offset:s.offset + s.length]
            sha.update(p)
            out.write(p)
        if i.sha and sha.digest() != i.sha:
            raise ValueError("the rebuilt file does not have the SHA-256 of the received one")


def safe(uid):
    """A UID as a file name; what is no UID becomes a digest."""
    return uid if re.fullmatch(r"[0-9][0-9.]{0,63}", uid) else "x" + hashlib.sha256(uid.encode("latin-1")).hexdigest()[:32]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("pack")
    args.add_argument("-o", metavar="DIR", default=".", help="where SERIES/SOP.dcm files go (default: here)")
    args.add_argument("-n", action="store_true", help="list the instances only")
    args = args.parse_args()
    failed, seen = 0, set()
    with open(args.pack, "rb") as file:
        pack = Pack(file)
        for i in pack.instances:
            name = os.path.join(safe(i.series), safe(i.sop))
            if name in seen:  # one UID, several versions
                name += "-" + i.sha.hex()[:12]
            seen.add(name)
            path = os.path.join(args.o, name + ".dcm")
            if args.n:
                print(name, len(i.frames), "frames")
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                with open(path + ".part", "wb") as out:
                    pack.restore(i, out)
                os.replace(path + ".part", path)
            except (ValueError, IndexError, struct.error, subprocess.CalledProcessError) as e:
                os.remove(path + ".part")
                failed += 1
                print("not restored: instance %s: %s" % (safe(i.sop), e), file=sys.stderr)
    print("%d of %d instances %s" % (len(pack.instances) - failed, len(pack.instances), "listed" if args.n else "restored"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
