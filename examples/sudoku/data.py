"""6x6 Sudoku (boxes of 2 rows x 3 columns): all grids, the train/test split, puzzles, an exact solver.

A grid is 36 digits 0..5 in row-major order (printed as 1..6).  Up to relabelling of the digits there
are exactly 39168 complete grids; we list them all in their canonical form (first row = 0 1 2 3 4 5) and
hold one in sixteen out by hash, so no relabelling of a test grid is ever seen in training.
"""
import itertools, json, zlib
import numpy as np

V, L = 6, 36                                    # digits, cells
ROW, COL = np.arange(L) // 6, np.arange(L) % 6
BOX = ROW // 2 * 2 + COL // 3
PEERS = [[j for j in range(L) if j != i and (ROW[i] == ROW[j] or COL[i] == COL[j] or BOX[i] == BOX[j])]
         for i in range(L)]


def all_canonical_grids():
    """uint8 [39168, 36]: every complete grid whose first row is 0 1 2 3 4 5."""
    perms = np.array(list(itertools.permutations(range(6))), dtype=np.uint8)
    col_ok = (perms[:, None] != perms[None]).all(-1)                       # rows that share no column entry
    halves = np.array([sum(1 << int(d) for d in p[:3]) for p in perms])
    box_ok = (halves[:, None] & halves[None]) == 0                         # rows that may sit in one band
    grids = []

    def extend(rows, allowed):
        r = len(rows)
        if r == 6:
            grids.append(perms[rows].reshape(-1))
            return
        ok = allowed & box_ok[rows[-1]] if r % 2 else allowed
        for p in np.flatnonzero(ok):
            extend(rows + [p], allowed & col_ok[p])

    extend([0], col_ok[0].copy())
    return np.stack(grids)


def split(grids):
    """(train, held out) by a hash of the canonical form."""
    held_out = np.array([zlib.crc32(g.tobytes()) % 16 == 0 for g in grids])
    return grids[~held_out], grids[held_out]


def relabel(grids, rng):
    """Independent random digit permutation for each grid (what makes the training data 720 times larger)."""
    table = np.argsort(rng.random((len(grids), V)), axis=1).astype(np.uint8)
    return np.take_along_axis(table, grids.astype(np.int64), axis=1)


def training_batch(train, n, rng, blanks=(4, 30), unique=False):
    """grids int64 [n, 36] and given bool [n, 36] (True = clue); the number of blanks is uniform.
    unique=True keeps only puzzles with one solution (at most n of 2n drawn)."""
    draw = 2 * n if unique else n
    grids = relabel(train[rng.integers(len(train), size=draw)], rng).astype(np.int64)
    rank = np.argsort(np.argsort(rng.random((draw, L)), axis=1), axis=1)
    given = rank >= rng.integers(blanks[0], blanks[1] + 1, size=(draw, 1))
    if unique:
        keep = np.flatnonzero([len(solutions(p)) == 1 for p in np.where(given, grids, -1)])[:n]
        grids, given = grids[keep], given[keep]
    return grids, given


def solutions(puzzle, limit=2):
    """Exact search (fewest candidates first); puzzle: 36 ints, -1 = blank.  At most `limit` solutions."""
    cell, found = list(map(int, puzzle)), []

    def search():
        best, candidates = -1, None
        for i in range(L):
            if cell[i] < 0:
                used = {cell[j] for j in PEERS[i]}
                free = [d for d in range(V) if d not in used]
                if best < 0 or len(free) < len(candidates):
                    best, candidates = i, free
                    if len(free) < 2:
                        break
        if best < 0:
            found.append(list(cell))
            return
        for d in candidates:
            cell[best] = d
            search()
            if len(found) >= limit:
                break
        cell[best] = -1

    search()
    return found


def make_puzzles(held_out, n, rng, blanks):
    """n (puzzle, solution) pairs with a unique solution; blanks cycles through the given range."""
    out = []
    while len(out) < n:
        b = blanks[0] + len(out) % (blanks[1] - blanks[0] + 1)
        solution = relabel(held_out[rng.integers(len(held_out), size=1)], rng)[0].astype(int)
        puzzle = solution.copy()
        puzzle[rng.permutation(L)[:b]] = -1
        if len(solutions(puzzle)) == 1:
            out.append((puzzle, solution))
    return out


def write_puzzles(path, pairs):
    text = lambda cells: "".join("." if c < 0 else str(c + 1) for c in cells)
    with open(path, "w") as f:
        for puzzle, solution in pairs:
            f.write(json.dumps({"puzzle": text(puzzle), "solution": text(solution)}) + "\n")


def read_puzzles(path):
    """tokens int64 [n, 36] (the solution), given bool [n, 36]."""
    rows = [json.loads(line) for line in open(path)]
    tokens = np.array([[int(c) - 1 for c in r["solution"]] for r in rows])
    given = np.array([[c != "." for c in r["puzzle"]] for r in rows])
    return tokens, given


if __name__ == "__main__":                      # the 500 test puzzles: 100 each with 18, 19, 20, 21 and 22 blanks
    _, held_out = split(all_canonical_grids())
    write_puzzles("puzzles.jsonl", make_puzzles(held_out, 500, np.random.default_rng(2026), blanks=(18, 22)))
