"""What the report knows of hardware: register files, waves per SIMD, and a prediction of bandwidth. Part of kernel_report.

Register files and granules: LLVM, "User Guide for AMDGPU Backend" (granulated work-item VGPR count) and AMD's ISA
manuals of RDNA2, RDNA3, RDNA4 and CDNA3; NVIDIA: CUDA C++ programming guide, table of compute capabilities. Counts of
units, clocks and peak bandwidths are the vendors' published figures of one card. Latencies are assumptions."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Hardware:
    family: str
    card: str  # whose numbers follow
    simds: int  # of the whole card
    ghz: float
    peak_gb_s: float
    latency_ns: float  # assumption: a load from memory under load
    wave: int
    registers: int  # per SIMD and lane
    granule: int
    max_waves: int  # per SIMD
    lds_bytes: int  # shared by the SIMDs of lds_simds
    lds_granule: int
    lds_simds: int
    valu_cycles: int  # of a SIMD for one instruction of a wave
    l1_bytes: int  # per cycle and SIMD
    lds_rate: int  # bytes per cycle and SIMD
    matrix_flops: int  # per cycle and SIMD, f16
    int32_multiply: int  # cycles of one, in units of valu_cycles
    issue_cycles: int = 0  # 1: every instruction takes a turn of one issue slot; 0: units have their own


LOADS = ("load", "flat_load", "async")


def _rdna(family, card, units, ghz, peak, registers, granule, matrix, latency=450):
    # Two SIMDs a compute unit; a workgroup processor of two units shares 128 KiB of LDS.
    return Hardware(family, card, 2 * units, ghz, peak, latency, 32, registers, granule, 16, 128 << 10, 1024, 4, 1,
                    64, 64, matrix, 4)


_RDNA3_SMALL = _rdna("RDNA3, small register file", "Radeon 8060S (Strix Halo, gfx1151 class)", 40, 2.9, 256, 1024, 16, 256)
HARDWARE = {
    "gfx1030": _rdna("RDNA2", "RX 6900 XT", 80, 2.25, 512, 1024, 16, 128),
    "gfx10-3-generic": _rdna("RDNA2", "RX 6600", 28, 2.49, 224, 1024, 16, 128),
    "gfx1100": _rdna("RDNA3", "RX 7900 XTX", 96, 2.5, 960, 1536, 24, 256),
    "gfx11-generic": _RDNA3_SMALL,
    "gfx1201": _rdna("RDNA4", "RX 9070 XT", 64, 2.97, 640, 1536, 24, 512),
    "gfx12-generic": _rdna("RDNA4", "RX 9060 XT", 32, 3.13, 320, 1536, 24, 512),
    # Four SIMDs a compute unit share 64 KiB of LDS and a 64-byte path to L1; a wave of 64 takes a SIMD of 16 lanes 4 cycles.
    "gfx942": Hardware("CDNA3", "MI300X", 304 * 4, 2.1, 5300, 800, 64, 512, 8, 8, 64 << 10, 512, 4, 4, 16, 32, 512, 4),
    "sm_80": Hardware("Ampere", "A100 80GB", 108 * 4, 1.41, 2039, 600, 32, 512, 8, 16, 164 << 10, 1024, 4, 1, 32, 32, 512, 2, 1),
    "sm_90a": Hardware("Hopper", "H200", 132 * 4, 1.98, 4800, 700, 32, 512, 8, 16, 228 << 10, 1024, 4, 1, 32, 32, 1024, 2, 1),
}


def _round_up(value, granule):
    return -(-value // granule) * granule


def waves(hw, kernel):
    """(waves per SIMD, the arithmetic as text). LDS counts with the largest block that the kernel allows."""
    need = max(_round_up(kernel["vgprs"], hw.granule), hw.granule)
    by_registers = min(hw.max_waves, hw.registers // need)
    text = f"registers {hw.registers} / {need} ({kernel['vgprs']} in steps of {hw.granule}) = {hw.registers // need}"
    text += f", at most {hw.max_waves}"
    result = by_registers
    block_waves = -(-kernel["max_threads"] // hw.wave)
    if kernel["lds"] > 0:
        block_lds = _round_up(kernel["lds"], hw.lds_granule)
        blocks = hw.lds_bytes // block_lds
        by_lds = blocks * block_waves / hw.lds_simds
        text += (f"; LDS {hw.lds_bytes} / {block_lds} = {blocks} blocks of {block_waves} waves on {hw.lds_simds} SIMDs"
                 f" = {by_lds:g}")
        result = min(result, by_lds)
    # Whole blocks only.
    fit = int(result * hw.lds_simds) // block_waves
    whole = fit * block_waves / hw.lds_simds
    if whole < result:
        text += f"; whole blocks of {block_waves} waves: {whole:g}"
        result = whole
    return round(result, 2), text


@dataclass
class Prediction:
    share: float
    bound: str
    text: str


def in_flight(hw, loop, classify, loads_left):
    """The most bytes that a wave has under way in the loop: loads are counted until a wait lets only so many remain.
    `loads_left` gives that number for an instruction, None for one that does not wait for loads."""
    under_way, most = [], 0
    for i in loop.instructions * 2:  # twice: loads for the next turn are under way when it begins
        left = loads_left(i)
        if left is not None:
            under_way = under_way[len(under_way) - left:] if left < len(under_way) else under_way
        kind, width = classify(i)
        if kind in LOADS:
            under_way.append(width * hw.wave)
        most = max(most, sum(under_way))
    return most


def predict(hw, n_waves, loop, classify, flops_of, loads_left=None):
    """Bandwidth of a loop that all SIMDs run on different data, as a share of the card's peak. None where it loads
    nothing from memory. Left out: dependent instructions, bank conflicts, caches, launch and tail, lanes that load the
    same address or are switched off. Without `loads_left` all loads of one turn are taken to be under way at once."""
    moved = 0
    unit = {"VALU": 0.0, "SALU": 0.0, "vector memory": 0.0, "LDS": 0.0, "matrix": 0.0, "issue": 0.0}
    for i in loop.instructions:
        kind, width = classify(i)
        bytes_ = width * hw.wave
        if kind in LOADS or kind in ("store", "flat_store", "atomic"):
            if kind in LOADS:
                moved += bytes_
            unit["vector memory"] += max(2, bytes_ / hw.l1_bytes)
        elif kind in ("lds_load", "lds_store", "cross"):
            unit["LDS"] += max(1, bytes_ / hw.lds_rate)
        elif kind in ("valu", "dot"):
            unit["VALU"] += hw.valu_cycles
        elif kind == "trans":
            unit["VALU"] += 4 * hw.valu_cycles
        elif kind == "mul32":
            unit["VALU"] += hw.int32_multiply * hw.valu_cycles
        elif kind == "matrix":
            unit["matrix"] += flops_of(i.mnemonic) / hw.matrix_flops
        elif kind in ("salu", "smem", "branch"):
            unit["SALU"] += 1
        if kind not in ("hint", "wait"):
            unit["issue"] += hw.issue_cycles
    if moved == 0:
        return None
    busiest = max(unit, key=unit.get)
    cycles = unit[busiest]
    by_issue = hw.simds * hw.ghz * moved / cycles
    one_wave = in_flight(hw, loop, classify, loads_left) if loads_left else moved
    by_latency = hw.simds * n_waves * one_wave / hw.latency_ns
    got = min(by_issue, by_latency, hw.peak_gb_s)
    bound = {by_issue: busiest, by_latency: "latency", hw.peak_gb_s: "memory"}[got]
    text = (f"{hw.card}: {hw.simds} SIMDs x {hw.ghz} GHz x {moved} bytes / {cycles:.0f} cycles of {busiest} = {by_issue:.0f} GB/s; "
            f"in flight {hw.simds} x {n_waves:g} waves x {one_wave} bytes / {hw.latency_ns:.0f} ns = {by_latency:.0f} GB/s; "
            f"memory {hw.peak_gb_s:.0f} GB/s: {100 * got / hw.peak_gb_s:.0f} % by {bound}")
    return Prediction(got / hw.peak_gb_s, bound, text)
