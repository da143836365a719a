"""Loads the emulator of AMDSIM_BASE (amdemu.py of ../shared/tools/amdsim) and mends what our kernels found in it.

libamdhip64 of the emulator imports the module `amdemu` from the folder that AMDSIM_HOME names; tools/amdsim_check.sh
lets that be this folder. A mend here is for a defect of the emulator with the instruction set manual as evidence,
never for one of ours.
"""
import importlib.util
import os

_spec = importlib.util.spec_from_file_location("amdemu_base", os.path.join(os.environ["AMDSIM_BASE"], "amdemu.py"))
base = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(base)
_mend_base = base.mend


def _mend(emu):
    _mend_base(emu)
    _mask_lds_addresses(emu)


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

    emu._compile_mem_op = compile_mem_op
    for kind, handler in emu._INST_HANDLERS.items():
        if handler is old:
            emu._INST_HANDLERS[kind] = compile_mem_op


base.mend = _mend
attach, load = base.attach, base.load
Refused = base.Refused
