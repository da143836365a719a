"""AMD code objects: resources from the ELF metadata, instructions from llvm-objdump. Part of kernel_report."""
import re
import struct
import subprocess

from kernel_report_flow import BRANCH, END, JUMP, NEXT, Instruction

METADATA_NOTE = 32  # NT_AMDGPU_METADATA (LLVM, "User Guide for AMDGPU Backend", code object metadata)


def _msgpack(data):
    """The part of MessagePack that the metadata uses."""
    def number(at, n, signed=False):
        return int.from_bytes(data[at:at + n], "big", signed=signed), at + n

    def many(at, n, is_map):
        items = []
        for _ in range(n * (2 if is_map else 1)):
            item, at = value(at)
            items.append(item)
        return (dict(zip(items[::2], items[1::2])) if is_map else items), at

    def text(at, n):
        return data[at:at + n].decode(), at + n

    def value(at):
        kind = data[at]
        at += 1
        if kind < 0x80:
            return kind, at
        if kind < 0x90:
            return many(at, kind & 15, True)
        if kind < 0xA0:
            return many(at, kind & 15, False)
        if kind < 0xC0:
            return text(at, kind & 31)
        if kind in (0xC2, 0xC3):
            return kind == 0xC3, at
        if 0xCC <= kind <= 0xCF:
            return number(at, 1 << (kind - 0xCC))
        if 0xD0 <= kind <= 0xD3:
            return number(at, 1 << (kind - 0xD0), True)
        if kind in (0xD9, 0xDA, 0xDB):
            n, at = number(at, 1 << (kind - 0xD9))
            return text(at, n)
        if kind in (0xDC, 0xDD, 0xDE, 0xDF):
            n, at = number(at, 2 if kind in (0xDC, 0xDE) else 4)
            return many(at, n, kind >= 0xDE)
        if kind >= 0xE0:
            return kind - 256, at
        raise ValueError(f"MessagePack type {kind:#x}")

    return value(0)[0]


def _sections(elf):
    if elf[:5] != b"\x7fELF\x02":
        raise ValueError("not a 64-bit ELF file")
    offset, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    rows = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + size * i) for i in range(count)]
    table = rows[names][4]

    def name(row):
        start = table + row[0]
        return elf[start:elf.index(b"\0", start)].decode()

    return rows, {name(row): row for row in rows}


def read_object(path):
    """{kernel name: resources} and the compiler's version line."""
    with open(path, "rb") as file:
        elf = file.read()
    rows, by_name = _sections(elf)
    metadata = {}
    for row in rows:
        at, end = row[4], row[4] + row[5]
        while row[1] == 7 and at < end:  # SHT_NOTE
            name_bytes, bytes_, kind = struct.unpack_from("<III", elf, at)
            at += 12 + (name_bytes + 3) // 4 * 4
            if kind == METADATA_NOTE:
                metadata = _msgpack(elf[at:at + bytes_])
            at += (bytes_ + 3) // 4 * 4
    sizes = {}
    for row in rows:
        if row[1] != 11:  # SHT_DYNSYM
            continue
        names = rows[row[6]][4]
        for at in range(row[4], row[4] + row[5], 24):
            name, info, _, _, value, size = struct.unpack_from("<IBBHQQ", elf, at)
            if info & 15 == 2:  # STT_FUNC
                start = names + name
                sizes[elf[start:elf.index(b"\0", start)].decode()] = (value, size)
    kernels = {}
    for k in metadata.get("amdhsa.kernels", []):
        kernels[k[".name"]] = {
            "vgprs": k[".vgpr_count"], "agprs": k.get(".agpr_count", 0), "sgprs": k[".sgpr_count"],
            # Scalar registers spill to lanes of vector registers: instructions, but no memory.
            "spills": k[".vgpr_spill_count"], "lane_spills": k[".sgpr_spill_count"],
            "scratch": k[".private_segment_fixed_size"], "lds": k[".group_segment_fixed_size"],
            "max_threads": k[".max_flat_workgroup_size"], "wave": k[".wavefront_size"],
            "code_bytes": sizes[k[".name"]][1], "begin": sizes[k[".name"]][0],
        }
    comment = by_name.get(".comment")
    text = elf[comment[4]:comment[4] + comment[5]].decode(errors="replace") if comment else ""
    version = re.search(r"clang version (\d+)", text)
    return kernels, "clang " + version.group(1) if version else "unknown compiler"


_LINE = re.compile(r"^\t(\S+)\s*(.*?)\s*// ([0-9A-F]{12}):((?: [0-9A-F]{8})+)(?: <(\S+?)(?:\+(0x[0-9a-f]+))?>)?$")


def _flow(mnemonic):
    if mnemonic == "s_branch":
        return JUMP
    if mnemonic.startswith("s_cbranch"):
        return BRANCH
    if mnemonic in ("s_endpgm", "s_setpc_b64", "s_set_pc_i64"):
        return END
    return NEXT


def disassemble(objdump, path, kernels):
    """{kernel name: [Instruction]}"""
    text = subprocess.run([objdump, "-d", path], capture_output=True, text=True, check=True).stdout
    symbols = {name: k["begin"] for name, k in kernels.items()}
    found, listing = {name: [] for name in kernels}, []
    for line in text.splitlines():
        if match := _LINE.match(line):
            mnemonic, operands, address, words, symbol, offset = match.groups()
            target = symbols.get(symbol, -1) + int(offset or "0", 16) if symbol in symbols else -1
            listing.append(Instruction(int(address, 16), 4 * len(words.split()), mnemonic, operands,
                                       _flow(mnemonic), target))
    for name, k in kernels.items():
        end = k["begin"] + k["code_bytes"]
        found[name] = [i for i in listing if k["begin"] <= i.address < end]
        if sum(i.bytes for i in found[name]) != k["code_bytes"]:
            raise ValueError(f"{path}: {name}: the disassembly does not cover its {k['code_bytes']} bytes")
    return found


_WIDTH = {"dword": 4, "b32": 4, "u32": 4, "f32": 4, "dwordx2": 8, "b64": 8, "dwordx3": 12, "b96": 12,
          "dwordx4": 16, "b128": 16, "ubyte": 1, "sbyte": 1, "u8": 1, "i8": 1, "byte": 1, "b8": 1,
          "ushort": 2, "sshort": 2, "u16": 2, "i16": 2, "short": 2, "b16": 2}
_HINTS = ("s_delay_alu", "s_nop", "s_clause", "s_code_end", "s_sleep", "s_setprio", "s_inst_prefetch",
          "s_set_inst_prefetch_distance", "s_icache_inv", "s_sendmsg", "s_ttracedata", "s_setreg")
_TRANS = ("v_exp_", "v_log_", "v_rcp_", "v_rsq_", "v_sqrt_", "v_sin_", "v_cos_", "v_s_")
# A quarter of the rate of an addition on RDNA and CDNA.
_QUARTER = ("v_mul_lo_u32", "v_mul_hi_u32", "v_mul_hi_i32", "v_mad_u64_u32", "v_mad_co_u64_u32", "v_mad_i64_i32",
            "v_mad_co_i64_i32")


def _access_bytes(mnemonic):
    """Bytes a lane moves: the width, twice for the ones with two addresses."""
    words = mnemonic.split("_")
    width = next((_WIDTH[w] for w in reversed(words) if w in _WIDTH), 4)
    double = any(w in ("2addr", "read2", "write2", "read2st64", "write2st64") for w in words)
    return 2 * width if double else width


def classify(i):
    """(class, bytes a lane moves)."""
    m = i.mnemonic
    if m.startswith("s_"):
        if m.startswith("s_wait"):
            return "wait", 0
        if m.startswith(_HINTS):
            return "hint", 0
        if m.startswith("s_barrier"):
            return "barrier", 0
        if i.flow != NEXT:
            return "branch", 0
        return ("smem" if m.startswith(("s_load", "s_buffer_load", "s_mem", "s_dcache", "s_prefetch")) else "salu"), 0
    if m.startswith("ds_"):
        if "permute" in m or "swizzle" in m:
            return "cross", 4
        return ("lds_load" if "load" in m or "read" in m else "lds_store"), _access_bytes(m)
    if m.startswith(("global_", "buffer_", "flat_", "scratch_")):
        if "atomic" in m:
            return "atomic", 4
        if "_load" in m or "_store" in m:
            kind = m.split("_")[0]
            side = "load" if "_load" in m else "store"
            return (f"{side}" if kind in ("global", "buffer") else f"{kind}_{side}"), _access_bytes(m)
        return "cache", 0
    if m.startswith(("v_wmma", "v_swmmac", "v_mfma", "v_smfmac")):
        return "matrix", 0
    if m.startswith("v_dot"):
        return "dot", 0
    if m.startswith(_TRANS):
        return "trans", 0
    if m.startswith(_QUARTER):
        return "mul32", 0
    return "valu", 0


def loads_left(i):
    """How many vector loads may be under way after this wait; None for what is no wait for them."""
    if i.mnemonic == "s_waitcnt":
        match = re.search(r"vmcnt\((\d+)\)", i.operands)
        return int(match.group(1)) if match else None
    if i.mnemonic == "s_wait_loadcnt":
        return int(i.operands, 0)
    if i.mnemonic == "s_wait_loadcnt_dscnt":
        return int(i.operands, 0) >> 8
    return None


def matrix_flops(mnemonic):
    """Floating-point (or integer) operations of one matrix instruction, all lanes."""
    shape = re.search(r"(\d+)x(\d+)x(\d+)", mnemonic)
    m, n, k = (int(v) for v in shape.groups())
    return 2 * m * n * k
