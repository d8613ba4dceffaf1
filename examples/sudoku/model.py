"""Embedding-space diffusion LM with gated bidirectional long convolutions (no attention), in plain PyTorch.

Every part is a named concept of the model description that the compiler reads; model.notes.json lists them.
Shapes: B batch, L positions, h hidden, d embedding dim, V vocabulary.
"""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIG = dict(V=6, L=36, d=32, h=128, blocks=6, ffn=320, time_dim=64, cond=32)
S, T_MAX, T_MIN, T_END = 0.008, 0.999, 0.05, 0.5          # cosine offset; training range; the sampler runs T_MAX -> T_END


def alpha_sigma(t):
    """Signal and noise scale: alpha = cos((t+s)/(1+s) pi/2), sigma = sin(same); alpha_bar = alpha^2."""
    angle = (t + S) / (1 + S) * (math.pi / 2)
    return torch.cos(angle), torch.sin(angle)


def sinusoid(x, dim, max_period=1e4):
    half = dim // 2
    freqs = torch.exp(-math.log(max_period) * torch.arange(half, dtype=x.dtype) / half)
    return torch.cat([torch.cos(x[:, None] * freqs), torch.sin(x[:, None] * freqs)], dim=-1)


def long_conv(v, k, k_rev):
    """y[b,i,c] = sum_j K_c[i-j] v[b,j,c] with K[+j] = k[j] and K[-(j+1)] = k_rev[j]; v [B,L,h], k [h,L]."""
    L = v.shape[1]
    K = F.pad(k, (0, L)) + F.pad(k_rev.flip(-1), (L, 0))                       # [h, 2L]
    spectrum = torch.fft.rfft(v.transpose(1, 2), n=2 * L) * torch.fft.rfft(K, n=2 * L)
    return torch.fft.irfft(spectrum, n=2 * L)[..., :L].transpose(1, 2)


class Mixer(nn.Module):
    def __init__(self, L, h):
        super().__init__()
        self.in_proj = nn.Linear(h, 3 * h)
        self.short_conv = nn.Conv1d(3 * h, 3 * h, 3, padding=2, groups=3 * h)  # causal FIR of 3 taps
        self.k = nn.Parameter(torch.randn(h, L) * 0.02)
        self.k_rev = nn.Parameter(torch.randn(h, L) * 0.02)                    # its last entry is never used
        self.D = nn.Parameter(torch.ones(h))
        self.out_proj = nn.Linear(h, h)

    def forward(self, u):
        u = self.short_conv(self.in_proj(u).transpose(1, 2))[..., :u.shape[1]].transpose(1, 2)
        x1, x2, v = u.chunk(3, dim=-1)
        v = v * x1
        y = long_conv(v, self.k, self.k_rev) + self.D * v
        return self.out_proj(y * x2)


class Block(nn.Module):
    def __init__(self, L, h, ffn, cond):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(h, eps=1e-5), nn.LayerNorm(h, eps=1e-5)
        self.mixer = Mixer(L, h)
        self.ffn = nn.Sequential(nn.Linear(h, ffn), nn.GELU(approximate="tanh"), nn.Linear(ffn, h))
        self.ada = nn.Linear(cond, 6 * h)       # shift, scale, gate of the mixer; shift, scale, gate of the ffn

    def forward(self, x, c):
        s1, a1, g1, s2, a2, g2 = self.ada(c)[:, None, :].chunk(6, dim=-1)
        x = x + g1 * self.mixer(self.norm1(x) * (1 + a1) + s1)
        return x + g2 * self.ffn(self.norm2(x) * (1 + a2) + s2)


class SudokuDLM(nn.Module):
    def __init__(self, V, L, d, h, blocks, ffn, time_dim, cond):
        super().__init__()
        self.d, self.time_dim = d, time_dim
        self.embedding = nn.Parameter(torch.randn(V, d))
        self.self_cond = nn.Linear(2 * d, d, bias=False)
        self.in_proj = nn.Linear(d, h)
        self.positions = nn.Parameter(torch.randn(L, h) * 0.5)
        self.time_mlp = nn.Sequential(nn.Linear(time_dim, 64), nn.SiLU(), nn.Linear(64, cond))
        self.blocks = nn.ModuleList(Block(L, h, ffn, cond) for _ in range(blocks))
        self.final_norm = nn.LayerNorm(h, eps=1e-5)
        self.final_ada = nn.Linear(cond, 2 * h)                                # shift, scale
        self.head = nn.Linear(h, V)
        for b in self.blocks:                   # identity modulation, open gates, small residual branches
            nn.init.zeros_(b.ada.weight); nn.init.zeros_(b.ada.bias)
            b.ada.bias.data.view(6, h)[[2, 5]] = 1.0
            for last in (b.mixer.out_proj, b.ffn[2]):
                nn.init.zeros_(last.bias); last.weight.data /= math.sqrt(2 * blocks)
        for m in (self.self_cond.weight, self.final_ada.weight, self.final_ada.bias, self.head.weight, self.head.bias):
            nn.init.zeros_(m)

    def table(self):
        """The embedding rows, L2-normalised times sqrt(d)."""
        return F.normalize(self.embedding, dim=-1) * math.sqrt(self.d)

    def forward(self, z, t, x0_prev):
        """z [B,L,d] with clean embeddings at the fixed cells, t [B], x0_prev [B,L,d] -> logits, x0."""
        E, (alpha, sigma) = self.table(), alpha_sigma(t.double())             # level numbers in float64
        gamma = (2 * torch.log(sigma / alpha)).to(z.dtype)                     # -logSNR
        skip = (alpha / sigma ** 2).to(z.dtype)
        c = F.silu(self.time_mlp(sinusoid(gamma, self.time_dim)))
        x = self.in_proj(z + self.self_cond(torch.cat([z, x0_prev], dim=-1))) + self.positions
        for block in self.blocks:
            x = block(x, c)
        shift, scale = self.final_ada(c)[:, None, :].chunk(2, dim=-1)
        logits = self.head(self.final_norm(x) * (1 + scale) + shift)
        logits = logits + skip[:, None, None] * (z @ E.T)                      # log p(z | token) + const
        return logits, torch.softmax(logits, dim=-1) @ E


def ddim(z, x0, t, t_next):
    """alpha' x0 + sigma' eps_hat with eps_hat = (z - alpha x0) / sigma, as two float64 coefficients."""
    (a, s), (a2, s2) = (alpha_sigma(torch.as_tensor(u, dtype=torch.float64)) for u in (t, t_next))
    return float(a2 - s2 * a / s) * x0 + float(s2 / s) * z


@torch.no_grad()
def sample(model, tokens, given, noise, steps, trace=None, t_end=T_END):
    """DDIM (eta 0) infilling.  tokens/given [B,L], noise [B,L,d].  Returns the final tokens [B,L]."""
    clean, x, x0 = model.table()[tokens], noise, torch.zeros_like(noise)
    ts = torch.linspace(T_MAX, t_end, steps, dtype=torch.float64)
    for i in range(steps):
        z = torch.where(given[..., None], clean, x)
        logits, x0 = model(z, ts[i].expand(len(noise)), x0)
        if trace is not None:
            trace(i, z, x0, logits)
        if i + 1 < steps:
            x = ddim(z, x0, ts[i], ts[i + 1])
    return torch.where(given, tokens, logits.argmax(-1))
