"""The King James Bible (1611, public domain) as lower-case text, from Debian's package bible-kjv.

    apt-get install --no-install-recommends bible-kjv
    python3 data.py            # prints sizes; rewrites held_out.jsonl

One chapter in twenty is held out, by a hash of its name.  A sample is a window of L characters of one chapter, its verses
joined by spaces; what is blank in it is drawn by `blanks`.
"""
import hashlib, json, re, subprocess
import numpy as np

L = 64
SYMBOLS = list("abcdefghijklmnopqrstuvwxyz ,.:;?!'()-")
INDEX = {s: i for i, s in enumerate(SYMBOLS)}


def chapters():
    """{"Ge1": "in the beginning ...", ...}"""
    out = subprocess.run(["bible", "-f", "Gen1:1-Rev22:21"], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in out.splitlines():
        place, text = line.split(" ", 1)
        kept = "".join(c for c in text.lower() if c in INDEX)
        found.setdefault(place.split(":")[0], []).append(re.sub(r" +", " ", kept).strip())
    return {name: " ".join(verses) for name, verses in found.items()}


def split(texts):
    """(training chapters, held-out chapters) as arrays of tokens, those shorter than a window left out."""
    parts = ([], [])
    for name, text in texts.items():
        held = hashlib.sha256(name.encode()).digest()[0] % 20 == 0
        if len(text) > L:
            parts[held].append(np.array([INDEX[c] for c in text], dtype=np.int64))
    return parts


def windows(parts, n, rng):
    """n windows [n, L]; a chapter is drawn in proportion to its length."""
    sizes = np.array([len(p) - L + 1 for p in parts], dtype=np.float64)
    chosen = rng.choice(len(parts), size=n, p=sizes / sizes.sum())
    return np.stack([parts[c][s : s + L] for c, s in ((c, rng.integers(len(parts[c]) - L + 1)) for c in chosen)])


def blanks(n, rng):
    """Which positions are given, [n, L] bool: single letters, one gap, a missing end, or nearly everything blank."""
    given = np.ones((n, L), dtype=bool)
    for row, kind in zip(given, rng.integers(4, size=n)):
        if kind == 0:
            row[rng.random(L) < rng.uniform(0.1, 0.7)] = False
        elif kind == 1:
            size = rng.integers(2, 25)
            start = rng.integers(L - size + 1)
            row[start : start + size] = False
        elif kind == 2:
            row[rng.integers(12, 60) :] = False
        else:
            for _ in range(rng.integers(1, 5)):
                size = rng.integers(2, 10)
                start = rng.integers(L - size + 1)
                row[start : start + size] = False
        if row.all():
            row[rng.integers(L)] = False
    return given


def text_of(tokens):
    return "".join(SYMBOLS[t] for t in tokens)


def main():
    train, held = split(chapters())
    print(f"{sum(map(len, train)):,} characters in {len(train)} training chapters, {sum(map(len, held)):,} in {len(held)} held out")
    rng = np.random.default_rng(7)
    with open("held_out.jsonl", "w") as file:
        for tokens in windows(held, 400, rng):
            file.write(json.dumps(text_of(tokens)) + "\n")


if __name__ == "__main__":
    main()
