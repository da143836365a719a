"""NVIDIA PTX: resources from ptxas, instructions from nvdisasm. Part of kernel_report."""
import os
import re
import subprocess
import tempfile

from kernel_report_flow import BRANCH, END, JUMP, NEXT, Instruction

_ENTRY = re.compile(r"Compiling entry function '(\w+)'")
_FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


def max_threads(ptx):
    """{kernel: threads per block that it was compiled for}"""
    found = {}
    for match in re.finditer(r"\.entry (\w+)\(.*?\{", ptx, re.DOTALL):
        bound = re.search(r"\.maxntid (\d+)", match.group(0))
        found[match.group(1)] = int(bound.group(1)) if bound else 1024
    return found


def parse_ptxas(text):
    kernels, name = {}, None
    for line in text.splitlines():
        if match := _ENTRY.search(line):
            name = match.group(1)
            kernels[name] = {"vgprs": 0, "agprs": 0, "sgprs": 0, "spills": 0, "lane_spills": 0, "scratch": 0, "lds": 0, "wave": 32}
        elif name and (match := _FRAME.search(line)):
            # The frame holds the spilled registers too.
            spilled = int(match.group(2)) + int(match.group(3))
            kernels[name].update(scratch=int(match.group(1)), spills=spilled // 4)
        elif name and (match := _USED.search(line)):
            kernels[name].update(vgprs=int(match.group(1)), lds=int(match.group(2) or 0))
    return kernels


def compiled(ptxas, path, target, folder):
    """The cubin of a PTX file and what ptxas said: of the build where it is newer than the PTX, else made in `folder`."""
    built = path.removesuffix(".ptx") + ".cubin"
    log = built + ".txt"
    if all(os.path.exists(f) and os.path.getmtime(f) >= os.path.getmtime(path) for f in (built, log)):
        with open(log, encoding="utf-8") as file:
            return built, file.read()
    made = os.path.join(folder, "x.cubin")
    done = subprocess.run([ptxas, "-v", f"-arch={target}", path, "-o", made], capture_output=True, text=True)
    if done.returncode != 0:
        raise ValueError(f"{path}: ptxas: {done.stderr.strip()[:500]}")
    return made, done.stdout + done.stderr


def read_ptx(ptxas, nvdisasm, path, target, disassemble):
    """{kernel: resources} and {kernel: [Instruction]}; the latter is empty without nvdisasm."""
    with open(path, encoding="utf-8") as file:
        threads = max_threads(file.read())
    with tempfile.TemporaryDirectory() as folder:
        cubin, said = compiled(ptxas, path, target, folder)
        kernels = parse_ptxas(said)
        listing = {}
        if disassemble and nvdisasm:
            text = subprocess.run([nvdisasm, "-c", cubin], capture_output=True, text=True, check=True).stdout
            listing = parse_nvdisasm(text)
    for name, k in kernels.items():
        k["max_threads"] = threads.get(name, 1024)
        instructions = listing.get(name, [])
        k["code_bytes"] = instructions[-1].address + instructions[-1].bytes if instructions else 0
    return kernels, listing


_SECTION = re.compile(r"^\.text\.(\w+):")
_LABEL = re.compile(r"^(\.L_x_\d+):")
_SASS = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(?:(@!?U?P\w+) )?\s*(\S+)\s*(.*?)\s*;")
INSTRUCTION_BYTES = 16


def parse_nvdisasm(text):
    found, labels, name, pending = {}, {}, None, []
    for line in text.splitlines():
        if match := _SECTION.match(line):
            name = match.group(1)
            found[name], labels[name], pending = [], {}, []
        elif name and (match := _LABEL.match(line)):
            pending.append(match.group(1))
        elif name and (match := _SASS.match(line)):
            address, predicate, mnemonic, operands = match.groups()
            for label in pending:
                labels[name][label] = int(address, 16)
            pending = []
            flow = NEXT
            if mnemonic.startswith("BRA"):
                # BRA.DIV leaves for the rare path of diverged lanes and comes back.
                flow = BRANCH if predicate or ".DIV" in mnemonic else JUMP
            elif mnemonic.startswith(("EXIT", "RET")) and not predicate:
                flow = END
            found[name].append(Instruction(int(address, 16), INSTRUCTION_BYTES, mnemonic, operands, flow))
    for name, instructions in found.items():
        for i in instructions:
            if i.flow in (BRANCH, JUMP) and (match := re.search(r"`\((\.L_x_\d+)\)", i.operands)):
                i.target = labels[name].get(match.group(1), -1)
    return found


def _access_bytes(mnemonic):
    for part, width in ((".128", 16), (".64", 8), (".U16", 2), (".S16", 2), (".16", 2), (".U8", 1), (".S8", 1)):
        if part in mnemonic:
            return width
    return 4


def classify(i):
    """(class, bytes a lane moves)."""
    m = i.mnemonic
    first = m.split(".")[0]
    if first in ("LDG", "LD"):
        return ("load" if first == "LDG" else "flat_load"), _access_bytes(m)
    if first in ("STG", "ST"):
        return ("store" if first == "STG" else "flat_store"), _access_bytes(m)
    if first in ("LDL", "STL"):
        return "scratch_load" if first == "LDL" else "scratch_store", _access_bytes(m)
    if first in ("LDS", "LDSM"):
        return "lds_load", _access_bytes(m) if first == "LDS" else 4 * int((re.search(r"\.M88\.(\d)", m) or [0, 1])[1])
    if first in ("STS", "STSM"):
        return "lds_store", _access_bytes(m)
    if first in ("LDGSTS", "UBLKCP", "UTMALDG"):
        return "async", 16 if first == "LDGSTS" else 0
    if first in ("ATOM", "ATOMG", "RED", "REDG", "ATOMS"):
        return "atomic", 4
    if first in ("SHFL", "VOTE", "VOTEU", "MATCH", "REDUX"):
        return "cross", 4
    if first in ("BAR", "SYNCS", "BARRIER"):
        return "barrier", 0
    if first in ("DEPBAR", "LDGDEPBAR", "WARPSYNC", "MEMBAR", "ERRBAR", "CCTL", "WARPGROUP", "FENCE"):
        return "wait", 0
    if i.flow != NEXT or first in ("EXIT", "BSSY", "BSYNC", "CALL", "RET", "BREAK"):
        return "branch", 0
    if first in ("HMMA", "IMMA", "HGMMA", "IGMMA", "QGMMA", "BMMA", "DMMA"):
        return "matrix", 0
    if first == "IDP":
        return "dot", 0
    if first == "MUFU":
        return "trans", 0
    if first in ("LDC", "ULDC", "LDCU"):
        return "smem", 0
    if first == "NOP":
        return "hint", 0
    if first.startswith("U") or first in ("S2R", "S2UR", "CS2R", "R2UR"):
        return "salu", 0
    return "valu", 0


def matrix_flops(mnemonic):
    """Operations of one matrix instruction: HMMA.16816 or HGMMA.64x256x16."""
    if shape := re.search(r"(\d+)x(\d+)x(\d+)", mnemonic):
        m, n, k = (int(v) for v in shape.groups())
    elif shape := re.search(r"\.(\d{4,5})\b", mnemonic):
        digits = shape.group(1)
        m, n, k = int(digits[:2]), int(digits[2]), int(digits[3:])
    else:
        return 0
    return 2 * m * n * k
