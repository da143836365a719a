"""Control flow of a disassembled kernel: basic blocks, natural loops and how deep they nest. Part of kernel_report."""
from dataclasses import dataclass, field

NEXT, JUMP, BRANCH, END = "next", "jump", "branch", "end"  # how control leaves an instruction


@dataclass
class Instruction:
    address: int
    bytes: int
    mnemonic: str
    operands: str = ""
    flow: str = NEXT
    target: int = -1  # of a jump or branch


@dataclass
class Loop:
    depth: int  # 1: in no other loop
    instructions: list = field(default_factory=list)
    innermost: bool = True


def blocks_of(instructions):
    """[[instruction]] and, per block, the indices of the blocks that may follow."""
    if not instructions:
        return [], []
    starts = {instructions[0].address}
    for this, after in zip(instructions, instructions[1:] + [None]):
        if this.flow != NEXT:
            if this.target >= 0:
                starts.add(this.target)
            if after is not None:
                starts.add(after.address)
    blocks, index = [], {}
    for i in instructions:
        if i.address in starts:
            index[i.address] = len(blocks)
            blocks.append([])
        blocks[-1].append(i)
    follows = []
    for n, block in enumerate(blocks):
        last, to = block[-1], []
        if last.flow in (NEXT, BRANCH) and n + 1 < len(blocks):
            to.append(n + 1)
        if last.flow in (JUMP, BRANCH) and last.target in index:
            to.append(index[last.target])
        follows.append(to)
    return blocks, follows


def dominators(follows):
    """Per block the set of blocks that every path from block 0 passes; None where it is not reached."""
    before = [[] for _ in follows]
    for n, to in enumerate(follows):
        for t in to:
            before[t].append(n)
    found = [None] * len(follows)
    if follows:
        found[0] = {0}
    changed = True
    while changed:
        changed = False
        for n in range(1, len(follows)):
            sets = [found[p] for p in before[n] if found[p] is not None]
            if not sets:
                continue
            new = set.intersection(*sets) | {n}
            if new != found[n]:
                found[n], changed = new, True
    return found, before


def loops_of(instructions):
    """Natural loops; those with the same head are one."""
    blocks, follows = blocks_of(instructions)
    over, before = dominators(follows)
    bodies = {}
    for n, to in enumerate(follows):
        for head in to:
            if over[n] is None or head not in over[n]:
                continue
            body, work = bodies.setdefault(head, {head}), [n]
            while work:
                b = work.pop()
                if b not in body:
                    body.add(b)
                    work.extend(before[b])
    loops = []
    for head, body in bodies.items():
        outer = sum(head in other and other != body and body < other for other in bodies.values())
        inner = any(other < body for other in bodies.values())
        members = [i for b in sorted(body) for i in blocks[b]]
        loops.append(Loop(outer + 1, members, not inner))
    return loops
