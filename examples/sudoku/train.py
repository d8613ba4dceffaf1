"""Train the 6x6 Sudoku diffusion model and export it: from a PyTorch module to a safetensors file.

    python3 train.py --minutes 60 --out stage1.safetensors
    python3 train.py --minutes 60 --rollout 0.85 --lr 7e-4 --resume stage1.safetensors --out weights.safetensors

Exporting is one call: save_safetensors(path, module.state_dict()).  Nothing is renamed, transposed or folded.
What the model description has to say about each name (model.py has the code, model.notes.json every detail):

    embedding [V,d]                raw rows; the model uses them L2-normalised times sqrt(d)
    self_cond.weight [d,2d]        x = z + W [z ; x0_prev]   (columns 0..d-1 see z, the others x0_prev)
    in_proj.{weight,bias}          Linear d -> h; weights are [out,in] as torch stores them
    positions [L,h]                added after in_proj
    time_mlp.{0,2}.*               Linear, SiLU, Linear on the sinusoid of gamma = -logSNR
    blocks.N.norm{1,2}.*           LayerNorm, eps 1e-5
    blocks.N.ada.*                 Linear on SiLU(time): shift, scale, gate (mixer), shift, scale, gate (ffn)
    blocks.N.mixer.in_proj.*       Linear h -> 3h, channel order x1, x2, v
    blocks.N.mixer.short_conv.*    [3h,1,3] torch Conv1d: causal, tap 2 is the current position
    blocks.N.mixer.k, .k_rev [h,L] filters by lag: K[+j] = k[j], K[-(j+1)] = k_rev[j]   ("offset_lag1")
    blocks.N.mixer.D [h]           skip on the gated input v * x1
    blocks.N.mixer.out_proj.*      Linear h -> h
    blocks.N.ffn.{0,2}.*           Linear, GELU (tanh), Linear
    final_norm.*, final_ada.*      LayerNorm, then shift, scale
    head.{weight,bias}             Linear h -> V; the prior term alpha/sigma^2 z E^T is added to its output
"""
import argparse, copy, json, math, os, time
import numpy as np
import torch
import torch.nn.functional as F
import data
from safetensors_io import load_safetensors, save_safetensors
from model import CONFIG, T_MAX, T_MIN, SudokuDLM, alpha_sigma, ddim, sample


def noised_state(model, clean, given, rng):
    """x_t at a random level (mostly high noise), and for half of the batches one earlier guess x0_prev."""
    t = torch.from_numpy(T_MAX - (T_MAX - T_MIN) * rng.random(len(clean)) ** 3)
    alpha, sigma = (v[:, None, None].float() for v in alpha_sigma(t))
    eps = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
    z = torch.where(given[..., None], clean, alpha * clean + sigma * eps)
    x0_prev = torch.zeros_like(z)
    if rng.random() < 0.5:
        with torch.no_grad():
            x0_prev = model(z, t, x0_prev)[1]
    return z, t, x0_prev


@torch.no_grad()
def rollout_state(model, clean, given, rng):
    """The state after 1..3 sampler steps from pure noise: what the model meets when it really solves."""
    k, n = rng.integers(1, 4), len(clean)
    ts = np.sort(rng.uniform(0.5, T_MAX, size=k + 1))[::-1].copy()
    ts[0] = T_MAX
    x = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
    x0 = torch.zeros_like(x)
    for i in range(k + 1):
        z, t = torch.where(given[..., None], clean, x), torch.full((n,), ts[i])
        if i < k:
            x0 = model(z, t, x0)[1]
            x = ddim(z, x0, ts[i], ts[i + 1])
    return z, t, x0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--minutes", type=float, default=50)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--rollout", type=float, default=0.0, help="share of batches taken from the sampler's own states")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", default="weights.safetensors")
    p.add_argument("--config", default="{}", help="JSON overrides of model.CONFIG")
    p.add_argument("--resume", default="", help="weights to start from")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    train, held_out = data.split(data.all_canonical_grids())
    val = data.make_puzzles(held_out, 128, np.random.default_rng(12345), blanks=(18, 22))   # not the test puzzles
    val_tokens = torch.tensor(np.stack([s for _, s in val]))
    val_given = torch.tensor(np.stack([q >= 0 for q, _ in val]))
    val_noise = torch.from_numpy(np.random.default_rng(54321).standard_normal((128, 36, CONFIG["d"]), dtype=np.float32))

    config = dict(CONFIG, **json.loads(args.config))
    model = SudokuDLM(**config)
    if args.resume:
        model.load_state_dict(load_safetensors(args.resume)[0])
    ema = copy.deepcopy(model).requires_grad_(False)
    decay = [q for q in model.parameters() if q.dim() > 1]
    rest = [q for q in model.parameters() if q.dim() <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
                            lr=args.lr, betas=(0.9, 0.99))
    print("parameters", sum(q.numel() for q in model.parameters()), config, flush=True)

    start, step, running, next_eval = time.time(), 0, [], 60.0
    while True:
        done = (time.time() - start) / (60 * args.minutes)                    # the schedule follows the clock
        if done >= 1:
            break
        lr = args.lr * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * done))
        for group in opt.param_groups:
            group["lr"] = lr
        rollout = rng.random() < args.rollout                                 # these puzzles have one solution
        batch = data.training_batch(train, args.batch, rng, (12, 26), True) if rollout else data.training_batch(train, args.batch, rng)
        tokens, given = (torch.from_numpy(a) for a in batch)
        state = (rollout_state if rollout else noised_state)(model, model.table().detach()[tokens], given, rng)
        logits = model(*state)[0]
        loss = F.cross_entropy(logits[~given], tokens[~given])                # the true digit at the noised cells
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
        if step % 50 == 0:
            print(f"step {step} min {(time.time() - start) / 60:.2f} lr {lr:.2e} loss {np.mean(running):.4f}", flush=True)
            running = []
        if time.time() - start > next_eval:
            next_eval += max(120.0, 60 * args.minutes / 20)
            final = sample(ema, val_tokens, val_given, val_noise, 8)
            right = (final == val_tokens)
            print(f"eval step {step} min {(time.time() - start) / 60:.2f} blanks right {right[~val_given].float().mean():.4f} "
                  f"solved {right.all(1).float().mean():.4f}", flush=True)
            save_safetensors(args.out, ema.state_dict(), {"config": json.dumps(config)})
    save_safetensors(args.out, ema.state_dict(), {"config": json.dumps(config)})
    print(f"finished: {step} steps, {(time.time() - start) / 60:.1f} minutes -> {args.out} "
          f"({os.path.getsize(args.out)} bytes)", flush=True)


if __name__ == "__main__":
    main()
