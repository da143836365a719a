"""Loads the emulator of AMDSIM_BASE (amdemu.py of ../shared/tools/amdsim) and mends what our kernels found in it.

libamdhip64 of the emulator imports the module `amdemu` from the folder that AMDSIM_HOME names; tools/amdsim_check.sh
lets that be this folder. A mend here is for a defect of the emulator with the instruction set manual as evidence,
never for one of ours.
"""
import importlib.util
import inspect
import os

_spec = importlib.util.spec_from_file_location("amdemu_base", os.path.join(os.environ["AMDSIM_BASE"], "amdemu.py"))
base = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(base)
_mend_base = base.mend


def _mend(emu):
    _keep_small_and_large_halves(emu)  # first: it reads the emulator's own text
    _mend_base(emu)
    _mask_lds_addresses(emu)
    _add_swizzle(emu)
    _add_row_xmask(emu)
    _merge_half_loads(emu)
    _negate_sub_dwords(emu)
    _keep_high_registers(emu)
    _part_registers_from_constants(emu)


def _replace(emu, name, new):
    old = getattr(emu, name)
    setattr(emu, name, new)
    for kind, handler in emu._INST_HANDLERS.items():
        if handler is old:
            emu._INST_HANDLERS[kind] = new


def _mask_lds_addresses(emu):
    """LDS accesses of lanes that EXEC turns off are not made (RDNA3 ISA 5.3, "EXEC"). The emulator made them at whatever
    address the lane's register held, and left the LDS. Their address becomes 0 here, a word that they read or leave as it is."""
    context = emu._Ctx
    old = emu._compile_mem_op

    def compile_mem_op(inst, ctx):
        if type(inst).__name__ != "DS" or "PERMUTE" in emu._op_name(inst):
            return old(inst, ctx)
        read, exec_mask, address = context.rvgpr_dyn, ctx.rexec(), ctx.inst_field(type(inst).addr)

        def rvgpr_dyn(self, reg, lane, valid=None):
            value = read(self, reg, lane, valid)
            return emu._lane_active(exec_mask, lane).where(value, emu._c(0)) if reg is address else value

        with base.swapped(context, "rvgpr_dyn", rvgpr_dyn):
            return old(inst, ctx)

    _replace(emu, "_compile_mem_op", compile_mem_op)


def _add_swizzle(emu):
    """ds_swizzle_b32 in bit mode (CDNA3 ISA, "DS_SWIZZLE_B32"): lane i of 32 reads lane ((i & and) | or) ^ xor of them. The
    emulator has only a description of it. Our kernels use it with all lanes on."""
    from tinygrad.dtype import AddrSpace, dtypes
    from tinygrad.uop.ops import UOp
    old = emu._compile_mem_op

    def compile_mem_op(inst, ctx):
        if type(inst).__name__ != "DS" or "SWIZZLE" not in emu._op_name(inst):
            return old(inst, ctx)
        offset = int(inst.offset0) | int(inst.offset1) << 8
        if offset & 0x8000:
            raise NotImplementedError("ds_swizzle_b32 in quad mode")
        number = lambda v: UOp.const(v, dtypes.int)  # noqa: E731
        copy = UOp.placeholder((ctx.wave_size,), dtypes.uint32, 78, addrspace=AddrSpace.LOCAL)
        lane, each = ctx.range(), ctx.range()
        filled = copy.after(copy.index(each).store(ctx.rvgpr_dyn(ctx.inst_field(type(inst).addr), each)).end(each))
        at = lane.cast(dtypes.int)
        source = (at & number(~31)) + (((at & number(offset & 31)) | number(offset >> 5 & 31)) ^ number(offset >> 10 & 31))
        store = ctx.wvgpr_dyn(ctx.inst_field(type(inst).vdst), lane, filled.index(source).load(), ctx.rexec())
        return UOp.sink(store.end(lane), *ctx.inc_pc())

    _replace(emu, "_compile_mem_op", compile_mem_op)


def _add_row_xmask(emu):
    """DPP control 0x160 + mask, row_xmask (RDNA3 ISA, table of DPP16 controls): lane i of a row of 16 reads lane i ^ mask.
    The emulator does not have it."""
    from tinygrad.dtype import dtypes
    from tinygrad.uop.ops import UOp
    old = emu._dpp16_ctrl

    def dpp16_ctrl(lane, dpp, row_mask, bank_mask, wave_size):
        if not 0x160 <= dpp <= 0x16F:
            return old(lane, dpp, row_mask, bank_mask, wave_size)
        if row_mask != 15 or bank_mask != 15:
            raise NotImplementedError("row_xmask with lanes masked off")
        source = lane.cast(dtypes.int) ^ UOp.const(dpp & 15, dtypes.int)
        return source, UOp.const(True), UOp.const(True)

    emu._dpp16_ctrl = dpp16_ctrl


def _merge_half_loads(emu):
    """LDS loads into half a register keep the other half (RDNA3 ISA, "DS_LOAD_U16_D16_HI"). The emulator wrote the whole
    register, with the value always in the low half."""
    context = emu._Ctx
    old = emu._compile_mem_op

    def compile_mem_op(inst, ctx):
        name = emu._op_name(inst)
        if type(inst).__name__ != "DS" or "D16" not in name or "STORE" in name or "WRITE" in name:
            return old(inst, ctx)
        write, high = context.wvgpr_dyn, name.endswith("_HI")

        def wvgpr_dyn(self, reg, lane, val, exec_mask, after=None):
            before, half = self.rvgpr_dyn(reg, lane), val & emu._c(0xFFFF)
            merged = (before & emu._c(0xFFFF)) | (half << emu._c(16)) if high else (before & emu._c(0xFFFF0000)) | half
            return write(self, reg, lane, merged, exec_mask, after)

        with base.swapped(context, "wvgpr_dyn", wvgpr_dyn):
            return old(inst, ctx)

    _replace(emu, "_compile_mem_op", compile_mem_op)


def _negate_sub_dwords(emu):
    """Sub-dword operands of float instructions can be taken by magnitude and negated (CDNA3 ISA, microcode format "SDWA":
    SRC0_ABS, SRC0_NEG, SRC1_ABS, SRC1_NEG). The emulator left both away: v_cvt_f32_f16_sdwa v0, -v1 src0_sel:WORD_1 gave +x."""
    old = emu._compile_sdwa

    def compile_sdwa(inst, ctx):
        select, calls = emu._sdwa_select, []
        bits = inst.canonical_op_bits

        def sdwa_select(val, sel, sext):  # of operand 0, then of operand 1
            operand = len(calls)
            calls.append(operand)
            flag = lambda name: emu._iattr(inst, f"src{operand}_{name}")  # noqa: E731
            width = bits[f"s{operand}"]
            return emu._apply_src_mods(select(val, sel, sext), 0, flag("abs"), flag("neg"), 16 if width == 16 else 32)

        with base.swapped(emu, "_sdwa_select", sdwa_select):
            return old(inst, ctx)

    _replace(emu, "_compile_sdwa", compile_sdwa)


def _keep_high_registers(emu):
    """v128 to v255 of 16-bit instructions are registers on CDNA3 as in all others (CDNA3 ISA, microcode formats VOP1, VOP2 and
    VOPC); only RDNA3 and RDNA4 name the high halves of v0 to v127 by them. The emulator took them for high halves on CDNA3 too:
    v_cvt_f16_f32 v137, v1 changed v9."""
    cdna = {kind for kind in emu._INST_HANDLERS if kind.__module__ == emu.irc.__name__}
    number, never = emu._c, 1 << 30

    def without_halves(old):
        def compile_inst(inst, ctx, **modifiers):
            if not any(kind in cdna for kind in type(inst).__mro__) or 16 not in inst.canonical_op_bits.values():
                return old(inst, ctx, **modifiers)
            # The first register of the halves, and the same as an operand.
            with base.swapped(emu, "_c", lambda value, *dtype: number(never if value in (128, 384) else value, *dtype)):
                return old(inst, ctx, **modifiers)

        return compile_inst

    for name in ("_compile_vop12", "_compile_vopc"):
        _replace(emu, name, without_halves(getattr(emu, name)))


def _part_registers_from_constants(emu):
    """WMMA with 0 as C after WMMA with registers as C: the emulator compiles an instruction once for all registers, and took
    the code for registers for the constant too (so that 0 was v128 to v135) if it had met that first. Bit 8 of the operand,
    which tells registers from constants (RDNA3 ISA, "Scalar and vector operands"), is part of the key here."""
    old = emu._compile_wmma

    def compile_wmma(inst, ctx):
        sink, field = old(inst, ctx), type(inst).src2
        ctx.dyn_fields = [(lo, hi - 1 if (lo, hi) == (field.lo, field.hi) else hi) for lo, hi in ctx.dyn_fields]
        return sink

    _replace(emu, "_compile_wmma", compile_wmma)


def _keep_small_and_large_halves(emu):
    """f16 operands of MFMA: denormals keep their value on CDNA3 (only CDNA2 flushes them), and infinity and NaN are what
    they are. The emulator took denormals for 0, infinity for 65536 and NaN for a finite number: 4094 of the 65536 halves."""
    wrong = ("f32_bits = (sign << _c(31)) | ((exp + _c(112)) << _c(23)) | (mant << _c(13))\n"
             "    return exp.eq(_c(0)).where(_c(0), f32_bits)")
    right = ("field = exp.eq(_c(31)).where(_c(255), exp + _c(112))\n"
             "    small = (mant.cast(dtypes.float32) * UOp.const(2.0 ** -24, dtypes.float32)).bitcast(dtypes.uint32)\n"
             "    return (sign << _c(31)) | exp.eq(_c(0)).where(small, (field << _c(23)) | (mant << _c(13)))")
    text = inspect.getsource(emu._compile_mfma)
    if text.count(wrong) != 1:
        raise NotImplementedError("this emulator's MFMA is another one")
    exec(compile(text.replace(wrong, right), emu.__file__, "exec"), vars(emu))


base.mend = _mend
attach, load = base.attach, base.load
Refused = base.Refused
