"""Solve the held-out puzzles with the exported weights and print the share solved.

    python3 evaluate.py                                   # noise from numpy default_rng(--seed)
    python3 evaluate.py --noise noise.f32                 # raw little-endian float32 [puzzles, L, d], e.g. of another runtime
    python3 evaluate.py --write-noise noise.f32           # store the noise that was used
    python3 evaluate.py --golden golden.safetensors       # also store 4 complete float32 and float64 trajectories
"""
import argparse, json
import numpy as np
import torch
import data
from model import SudokuDLM, sample
from safetensors_io import load_safetensors, save_safetensors


def load_model(path):
    tensors, metadata = load_safetensors(path)
    model = SudokuDLM(**json.loads(metadata["config"]))
    model.load_state_dict(tensors)
    return model.eval()


def trajectory(model, tokens, given, noise, steps):
    rows = {"z": [], "x0": [], "logits": []}

    def trace(i, z, x0, logits):
        for name, value in zip(("z", "x0", "logits"), (z, x0, logits)):
            rows[name].append(value.clone())
    final = sample(model, tokens, given, noise, steps, trace)
    return {**{name: torch.stack(v) for name, v in rows.items()}, "final": final}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--weights", default="weights.safetensors")
    p.add_argument("--puzzles", default="puzzles.jsonl")
    p.add_argument("--steps", type=int, default=8)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--noise", default="")
    p.add_argument("--write-noise", default="")
    p.add_argument("--answers", default="", help="write the final grids, one line of digits each")
    p.add_argument("--golden", default="")
    p.add_argument("--batch", type=int, default=50)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--double", action="store_true", help="run in float64")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    model = load_model(args.weights)
    tokens, given = (torch.from_numpy(a) for a in data.read_puzzles(args.puzzles))
    n, L, d = *tokens.shape, model.d
    if args.noise:
        noise = np.fromfile(args.noise, dtype="<f4").reshape(n, L, d)
    else:
        noise = np.random.default_rng(args.seed).standard_normal((n, L, d), dtype=np.float32)
    if args.write_noise:
        noise.astype("<f4").tofile(args.write_noise)
    noise = torch.from_numpy(noise)

    if args.golden:
        q = slice(0, 4)
        out = {"tokens_fixed": torch.where(given[q], tokens[q], -1), "given": given[q].to(torch.uint8), "solution": tokens[q],
               "noise": noise[q]}
        for name, dtype in (("f32", torch.float32), ("f64", torch.float64)):
            run = trajectory(load_model(args.weights).to(dtype), tokens[q], given[q], noise[q].to(dtype), args.steps)
            out.update({f"{key}.{name}": value for key, value in run.items()})
        save_safetensors(args.golden, out, {"steps": str(args.steps)})

    if args.double:
        model, noise = model.double(), noise.double()
    final = torch.cat([sample(model, tokens[i:i + args.batch], given[i:i + args.batch], noise[i:i + args.batch], args.steps)
                       for i in range(0, n, args.batch)])
    if args.answers:
        with open(args.answers, "w") as f:
            f.writelines("".join(str(t + 1) for t in row) + "\n" for row in final.tolist())
    right = final == tokens
    solved = right.all(1)
    print(f"{int(solved.sum())} of {n} puzzles solved ({100 * solved.float().mean():.1f} %), {args.steps} steps; "
          f"blank cells right {100 * right[~given].float().mean():.2f} %")
    blanks = (~given).sum(1)
    print("by blanks:", ", ".join(f"{int(b)}: {int(solved[blanks == b].sum())}/{int((blanks == b).sum())}" for b in blanks.unique()))


if __name__ == "__main__":
    main()
