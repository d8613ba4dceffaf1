"""Fill blanks of held-out text, and count how many characters are right beside two baselines.

    python3 evaluate.py                              # the table of README.md
    python3 evaluate.py --noise noise.f32 --blanks 0.3 --count 20   # final tokens from another runtime's noise, as JSON

The baselines know the training text: the most frequent character (a space), and a model of the two neighbours on each side
that backs off to one neighbour, then to none (a blank neighbour counts as unknown).
"""
import argparse, collections, json, os, sys
import numpy as np
import torch
import data

here = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(here, "..", "sudoku"))
from model import SudokuDLM as DiffusionLM, sample  # noqa: E402
from safetensors_io import load_safetensors, save_safetensors  # noqa: E402

STEPS, T_END = 8, 0.3


def load():
    tensors, metadata = load_safetensors(os.path.join(here, "weights.safetensors"))
    model = DiffusionLM(**json.loads(metadata["config"]))
    model.load_state_dict(tensors)
    return model.eval()


def held_out():
    with open(os.path.join(here, "held_out.jsonl")) as file:
        return np.array([[data.INDEX[c] for c in json.loads(line)] for line in file])


def masks(kind, amount, n, rng):
    given = np.ones((n, data.L), dtype=bool)
    for row in given:
        if kind == "letters":
            row[rng.random(data.L) < amount] = False
        else:
            start = rng.integers(data.L - amount + 1) if kind == "gap" else data.L - amount
            row[start : start + amount] = False
    return given


class Neighbours:
    """p(c | two characters on each side), backing off; counts of the training text."""

    def __init__(self, parts):
        self.counts = [collections.defaultdict(collections.Counter) for _ in range(3)]
        for part in parts:
            text = part.tolist()
            for i in range(2, len(text) - 2):
                for reach in range(3):
                    self.counts[reach][tuple(text[i - reach : i]) + tuple(text[i + 1 : i + 1 + reach])][text[i]] += 1

    def fill(self, tokens, given):
        out = tokens.copy()
        for row in range(len(tokens)):
            for i in range(data.L):
                if given[row, i]:
                    continue
                for reach in (2, 1, 0):
                    near = [j for j in range(i - reach, i + reach + 1) if j != i]
                    if any(j < 0 or j >= data.L or not given[row, j] for j in near):
                        continue
                    seen = self.counts[reach].get(tuple(tokens[row, near]))
                    if seen:
                        out[row, i] = seen.most_common(1)[0][0]
                        break
        return out


def golden(model, tokens, given, noise, args):
    """A float64 run of the float32 weights: the logits of the first and the last call, and the final tokens."""
    model, calls = model.double(), []
    final = sample(model, tokens, given, noise.double(), args.steps, lambda i, z, x0, logits: calls.append(logits), args.t_end)
    save_safetensors(args.golden, {
        "tokens": tokens.float(), "given": given.float(), "noise": noise, "final": final.float(),
        "logits_first.f64": calls[0], "logits_last.f64": calls[-1],
    }, {"about": "PyTorch in float64 on the float32 weights"})


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=400)
    p.add_argument("--steps", type=int, default=STEPS)
    p.add_argument("--t-end", type=float, default=T_END)
    p.add_argument("--noise", default="", help="float32 [count, L, d], raw: print the final tokens and nothing else")
    p.add_argument("--blanks", type=float, default=0.3)
    p.add_argument("--given", default="", help="with --noise: a JSON list of 0 and 1, which characters are given")
    p.add_argument("--golden", default="", help="with --noise: write the float64 run's inputs, logits and tokens to this file")
    args = p.parse_args()
    torch.set_num_threads(1)
    model, texts = load(), held_out()[: args.count]
    if args.noise:
        given = masks("letters", args.blanks, len(texts), np.random.default_rng(1))
        if args.given:
            with open(args.given) as file:
                given = np.array(json.load(file), dtype=bool).reshape(len(texts), data.L)
        noise = torch.from_numpy(np.fromfile(args.noise, dtype="<f4").reshape(len(texts), data.L, -1))
        if args.golden:
            golden(model, torch.from_numpy(texts), torch.from_numpy(given), noise, args)
            return
        tokens = sample(model, torch.from_numpy(texts), torch.from_numpy(given), noise, args.steps, t_end=args.t_end)
        print(json.dumps({"texts": [data.text_of(row) for row in tokens.tolist()]}))
        return
    neighbours = Neighbours(data.split(data.chapters())[0])
    print(f"{'blanks':24}{'space':>8}{'neighbours':>12}{'model':>8}")
    for kind, amount in (("letters", 0.15), ("letters", 0.3), ("letters", 0.5), ("gap", 4), ("gap", 8), ("gap", 16), ("end", 16)):
        rng = np.random.default_rng(2)
        given = masks(kind, amount, len(texts), rng)
        noise = torch.from_numpy(rng.standard_normal((len(texts), data.L, model.d), dtype=np.float32))
        filled = sample(model, torch.from_numpy(texts), torch.from_numpy(given), noise, args.steps, t_end=args.t_end).numpy()
        share = lambda guess: f"{(guess == texts)[~given].mean():.1%}"
        name = f"{amount:.0%} of the characters" if kind == "letters" else f"{'a gap' if kind == 'gap' else 'the last'} {'of ' if kind == 'gap' else ''}{amount}"
        print(f"{name:24}{share(np.full_like(texts, data.INDEX[' '])):>8}{share(neighbours.fill(texts, given)):>12}{share(filled):>8}")


if __name__ == "__main__":
    main()
