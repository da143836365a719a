"""Self-test of kernel_report: small inputs with known answers."""
import kernel_report_amd as amd
import kernel_report_flow as flow
import kernel_report_model as model
import kernel_report_nvidia as nvidia
from kernel_report_flow import BRANCH, END, JUMP, Instruction

FAILED = []


def expect(what, got, wanted):
    if got != wanted:
        FAILED.append(f"{what}: got {got!r}, expected {wanted!r}")


def code(*lines):
    """Instructions of 4 bytes from (mnemonic, flow, target line) or a mnemonic."""
    made = []
    for n, line in enumerate(lines):
        mnemonic, kind, target = line if isinstance(line, tuple) else (line, flow.NEXT, None)
        operands = mnemonic.partition(" ")[2]
        made.append(Instruction(4 * n, 4, mnemonic.partition(" ")[0], operands, kind, -1 if target is None else 4 * target))
    return made


def test_loops():
    nested = code("v_mov_b32", "v_mov_b32", "global_load_b128", ("s_cbranch_scc1", BRANCH, 2), "v_add_f32",
                  ("s_cbranch_scc1", BRANCH, 1), ("s_endpgm", END, None))
    loops = sorted(flow.loops_of(nested), key=lambda loop: loop.depth)
    expect("depths", [(loop.depth, len(loop.instructions), loop.innermost) for loop in loops], [(1, 5, False), (2, 2, True)])
    # A forward branch is no loop; a block that is laid out behind the loop belongs to it where it goes back.
    outline = code(("s_branch", JUMP, 2), ("s_endpgm", END, None), "global_load_b32", ("s_cbranch_scc0", BRANCH, 1),
                   "v_add_f32", ("s_branch", JUMP, 2))
    expect("out of line", [len(loop.instructions) for loop in flow.loops_of(outline)], [4])
    expect("none", flow.loops_of(code("v_mov_b32", ("s_cbranch_scc0", BRANCH, 3), "v_mov_b32", ("s_endpgm", END, None))), [])
    expect("empty", flow.loops_of([]), [])


def test_amd():
    for mnemonic, kind in (("global_load_dwordx4", ("load", 16)), ("global_load_b128", ("load", 16)),
                           ("global_load_d16_hi_u8", ("load", 1)), ("global_load_ushort", ("load", 2)),
                           ("flat_load_b64", ("flat_load", 8)), ("scratch_store_b32", ("scratch_store", 4)),
                           ("ds_load_2addr_b64", ("lds_load", 16)), ("ds_read2st64_b32", ("lds_load", 8)),
                           ("ds_bpermute_b32", ("cross", 4)), ("ds_store_b128", ("lds_store", 16)),
                           ("global_atomic_add_u32", ("atomic", 4)), ("buffer_gl0_inv", ("cache", 0)),
                           ("v_dot4_i32_iu8", ("dot", 0)), ("v_wmma_f32_16x16x16_f16", ("matrix", 0)),
                           ("v_exp_f32_e32", ("trans", 0)), ("v_mad_u64_u32", ("mul32", 0)), ("v_dual_mul_f32", ("valu", 0)),
                           ("s_wait_loadcnt", ("wait", 0)), ("s_delay_alu", ("hint", 0)), ("s_load_b64", ("smem", 0)),
                           ("s_barrier_signal", ("barrier", 0)), ("s_add_i32", ("salu", 0))):
        expect(mnemonic, amd.classify(Instruction(0, 4, mnemonic)), kind)
    expect("flops", amd.matrix_flops("v_mfma_f32_32x32x8_f16"), 2 * 32 * 32 * 8)
    packed = b"\x82\xa1a\xcd\x01\x00\xa1b\x92\xc3\xd9\x02hi"
    expect("MessagePack", amd._msgpack(packed), {"a": 256, "b": [True, "hi"]})
    waits = code("s_waitcnt vmcnt(2) lgkmcnt(0)", "s_waitcnt lgkmcnt(0)", "s_wait_loadcnt 0x3", "s_wait_loadcnt_dscnt 0x102", "v_nop")
    expect("waits", [amd.loads_left(i) for i in waits], [2, None, 3, 1, None])


def test_model():
    def waves(target, vgprs, lds=0, threads=256):
        return model.waves(model.HARDWARE[target], {"vgprs": vgprs, "lds": lds, "max_threads": threads})[0]
    expect("RDNA2", [waves("gfx1030", v) for v in (64, 65, 80, 256)], [16, 12, 12, 4])
    expect("RDNA3", [waves("gfx1100", v) for v in (96, 97, 120, 256)], [16, 12, 12, 4])
    expect("RDNA3, odd", waves("gfx1100", 168, threads=32), 9)
    expect("whole blocks", waves("gfx1100", 168), 8)  # 4 SIMDs hold 36 waves, 4 blocks of 8 are 32
    expect("CDNA3", [waves("gfx942", v) for v in (64, 65, 128, 129)], [8, 7, 4, 3])
    expect("LDS", [waves("gfx1100", 32, lds) for lds in (1 << 14, 1 << 15, 1 << 16)], [16, 8, 4])
    expect("CDNA3 LDS", waves("gfx942", 32, 1 << 15), 2)
    hw = model.HARDWARE["gfx1100"]
    loop = flow.Loop(1, code("global_load_b128", "s_waitcnt vmcnt(1)", "v_add_f32", "v_add_f32", "v_add_f32"))
    expect("two in flight", model.in_flight(hw, loop, amd.classify, amd.loads_left), 2 * 16 * 32)
    loop.instructions[1].operands = "vmcnt(0)"
    expect("one in flight", model.in_flight(hw, loop, amd.classify, amd.loads_left), 16 * 32)
    loop.instructions += code(*["v_add_f32"] * 997)
    found = model.predict(hw, 16, loop, amd.classify, amd.matrix_flops, amd.loads_left)
    expect("bound", (found.bound, round(found.share, 3)), ("VALU", round(192 * 2.5 * 512 / 1000 / 960, 3)))
    expect("no loads", model.predict(hw, 16, flow.Loop(1, code("v_add_f32")), amd.classify, amd.matrix_flops), None)


def test_nvidia():
    log = """ptxas info    : Compiling entry function 'k' for 'sm_90a'
ptxas info    : Function properties for k
    24 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 56 registers, used 1 barriers, 4128 bytes smem"""
    k = nvidia.parse_ptxas(log)["k"]
    expect("ptxas", (k["vgprs"], k["spills"], k["scratch"], k["lds"]), (56, 5, 24, 4128))
    expect("threads", nvidia.max_threads(".visible .entry k(\n.param .b64 a\n)\n.maxntid 128\n{\n.entry l(){"), {"k": 128, "l": 1024})
    listing = nvidia.parse_nvdisasm(""".text.k:
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_2:
        /*0010*/                   LDG.E.128 R4, [R2.64] ;
        /*0020*/              @!P0 BRA `(.L_x_2) ;
        /*0030*/                   EXIT ;
""")["k"]
    loops = flow.loops_of(listing)
    expect("SASS loop", [[i.mnemonic for i in loop.instructions] for loop in loops], [["LDG.E.128", "BRA"]])
    expect("SASS class", nvidia.classify(listing[1]), ("load", 16))
    expect("HMMA", nvidia.matrix_flops("HMMA.16816.F32"), 2 * 16 * 8 * 16)


def test_offences(offences):
    row = {"kernel": "k", "target": "gfx1100", "vgprs": 10, "spills": 0, "lane_spills": 0, "scratch": 0, "lds": 0, "waves": 16}
    nvidia_row = {**row, "target": "sm_80"}
    same = {"AMD": "clang 19"}

    def wrong(rows, table, versions=None, table_versions=None):
        return len(offences(rows, versions or same, table, table_versions or same)[0])
    expect("same", wrong([row], [row]), 0)
    expect("better", wrong([row], [{**row, "vgprs": 11}]), 0)
    for column, value in (("vgprs", 11), ("lds", 4), ("waves", 12), ("lane_spills", 1)):
        expect("worse " + column, wrong([{**row, column: value}], [row]), 1)
    expect("spill", wrong([{**row, "spills": 1}], [{**row, "spills": 1}]), 1)
    expect("scratch", wrong([{**row, "scratch": 4}], [{**row, "scratch": 4}]), 1)
    expect("flat", wrong([{**row, "flat": 1}], [row]), 1)
    expect("new", offences([row], same, [], same)[0:1], ([],))
    expect("new, said", len(offences([row], same, [], same)[1]), 1)
    expect("gone", wrong([row], [row, {**row, "kernel": "l"}]), 0)
    expect("gone, said", len(offences([row], same, [row, {**row, "kernel": "l"}], same)[1]), 1)
    expect("other targets", wrong([row], [row, {**row, "target": "gfx942"}]), 0)
    expect("other compiler", wrong([{**row, "vgprs": 99}], [row], {"AMD": "clang 20"}), 0)
    expect("other compiler spills", wrong([{**row, "spills": 1}], [row], {"AMD": "clang 20"}), 1)
    expect("other vendor", wrong([{**nvidia_row, "vgprs": 99}], [nvidia_row], {"NVIDIA": "ptxas 13.0"}), 0)


def run(offences):
    test_loops()
    test_amd()
    test_model()
    test_nvidia()
    test_offences(offences)
    for line in FAILED:
        print("kernel_report self-test: " + line)
    if not FAILED:
        print("kernel_report: self-test passed")
    return 1 if FAILED else 0
