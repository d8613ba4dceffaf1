"""Train the infilling model on verses and export it.

    python3 train.py --minutes 80 --out weights.safetensors

The module is that of ../sudoku/model.py at other sizes; its head lists what each parameter name means.
"""
import argparse, copy, json, math, os, sys, time
import numpy as np
import torch
import torch.nn.functional as F
import data

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sudoku"))
from model import SudokuDLM as DiffusionLM, T_MAX, alpha_sigma, sample  # noqa: E402
from safetensors_io import load_safetensors, save_safetensors  # noqa: E402

CONFIG = dict(V=len(data.SYMBOLS), L=data.L, d=48, h=128, blocks=6, ffn=384, time_dim=64, cond=32)
T_MIN = 0.05


def noised_state(model, clean, given, rng):
    """x_t at a random level and, for half of the batches, the model's own earlier guess as x0_prev."""
    t = torch.from_numpy(T_MAX - (T_MAX - T_MIN) * rng.random(len(clean)) ** 2)
    alpha, sigma = (v[:, None, None].float() for v in alpha_sigma(t))
    eps = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
    z = torch.where(given[..., None], clean, alpha * clean + sigma * eps)
    x0_prev = torch.zeros_like(z)
    if rng.random() < 0.5:
        with torch.no_grad():
            x0_prev = model(z, t, x0_prev)[1]
    return z, t, x0_prev


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--minutes", type=float, default=80)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", default="weights.safetensors")
    p.add_argument("--resume", default="", help="weights to start from")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    train, held = data.split(data.chapters())
    pick = np.random.default_rng(12345)                                       # not the windows that evaluate.py uses
    val_tokens = torch.from_numpy(data.windows(held, 128, pick))
    val_given = torch.from_numpy(pick.random(val_tokens.shape) > 0.3)
    val_noise = torch.from_numpy(pick.standard_normal((128, data.L, CONFIG["d"]), dtype=np.float32))

    model = DiffusionLM(**CONFIG)
    if args.resume:
        model.load_state_dict(load_safetensors(args.resume)[0])
    ema = copy.deepcopy(model).requires_grad_(False)
    decay = [q for q in model.parameters() if q.dim() > 1]
    rest = [q for q in model.parameters() if q.dim() <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
                            lr=args.lr, betas=(0.9, 0.99))
    print("parameters", sum(q.numel() for q in model.parameters()), CONFIG, flush=True)

    start, step, running, next_eval = time.time(), 0, [], 120.0
    while True:
        done = (time.time() - start) / (60 * args.minutes)                    # the schedule follows the clock
        if done >= 1:
            break
        lr = args.lr * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * done))
        for group in opt.param_groups:
            group["lr"] = lr
        tokens = torch.from_numpy(data.windows(train, args.batch, rng))
        given = torch.from_numpy(data.blanks(args.batch, rng))
        state = noised_state(model, model.table().detach()[tokens], given, rng)
        loss = F.cross_entropy(model(*state)[0][~given], tokens[~given])      # the true character at the noised cells
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        keep = min(0.999, (step + 1) / (step + 10))
        with torch.no_grad():
            for a, b in zip(ema.parameters(), model.parameters()):
                a.lerp_(b, 1 - keep)
        step += 1
        running.append(loss.item())
        if step % 100 == 0:
            print(f"step {step} min {(time.time() - start) / 60:.2f} lr {lr:.2e} loss {np.mean(running):.4f}", flush=True)
            running = []
        if time.time() - start > next_eval:
            next_eval += max(240.0, 60 * args.minutes / 20)
            right = sample(ema, val_tokens, val_given, val_noise, 12) == val_tokens
            print(f"eval step {step} min {(time.time() - start) / 60:.2f} blanks right {right[~val_given].float().mean():.4f}", flush=True)
            save_safetensors(args.out, ema.state_dict(), {"config": json.dumps(CONFIG)})
    save_safetensors(args.out, ema.state_dict(), {"config": json.dumps(CONFIG)})
    print(f"finished: {step} steps, {(time.time() - start) / 60:.1f} minutes -> {args.out} "
          f"({os.path.getsize(args.out)} bytes)", flush=True)


if __name__ == "__main__":
    main()
