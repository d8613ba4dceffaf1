"""The mixer layer with torch.fft, one thread, in three layouts. Reads one JSON command a line, answers one a line."""

import json
import sys
import time

import torch

torch.set_num_threads(1)
torch.set_grad_enabled(False)


def read(path, *shape):
    count = 1
    for extent in shape:
        count *= extent
    return torch.from_file(path, size=count, dtype=torch.float32).view(*shape).clone()


class Layers:
    def __init__(self, directory, length, channels, batch, layers):
        n, d = length, channels
        self.n, self.layers = n, layers
        inputs = [read(f"{directory}/{name}.bin", batch, n, d) for name in ("v", "g1", "g2")]
        self.inputs = {"bnd": inputs, "bdn": [x.transpose(1, 2).contiguous() for x in inputs]}
        self.inputs["bndT"] = self.inputs["bnd"]
        taps = [read(f"{directory}/taps.{i}.bin", n, d) for i in range(layers)]
        skips = [read(f"{directory}/skip.{i}.bin", d) for i in range(layers)]
        self.skips = {"bnd": skips, "bndT": skips, "bdn": [s[:, None] for s in skips]}
        wide = [torch.fft.rfft(k, n=2 * n, dim=0) for k in taps]
        tall = [k.transpose(0, 1).contiguous() for k in wide]
        self.spectra = {"bnd": wide, "bdn": tall, "bndT": tall}
        self.expected = read(f"{directory}/y.bin", batch, n, d)

    def convolve(self, layout, u, i):
        n, h = self.n, self.spectra[layout][i]
        if layout == "bnd":
            return torch.fft.irfft(torch.fft.rfft(u, n=2 * n, dim=1) * h, n=2 * n, dim=1)[:, :n]
        if layout == "bdn":
            return torch.fft.irfft(torch.fft.rfft(u, n=2 * n) * h, n=2 * n)[..., :n]
        line = u.transpose(1, 2).contiguous()
        y = torch.fft.irfft(torch.fft.rfft(line, n=2 * n) * h, n=2 * n)[..., :n]
        return y.transpose(1, 2).contiguous()

    def run(self, layout):
        v, g1, g2 = self.inputs[layout]
        y = v
        for i in range(self.layers):
            u = g1 * y
            y = g2 * (self.convolve(layout, u, i) + self.skips[layout][i] * u)
        return y

    def error(self, layout):
        y = self.run(layout)
        y = y.transpose(1, 2) if layout == "bdn" else y
        return float((y - self.expected).abs().max() / self.expected.abs().max())


def matmul_gflops():
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best / 1e9


state = None
for line in sys.stdin:
    command = json.loads(line)
    if command["do"] == "facts":
        answer = {"version": torch.__version__, "mkl": torch.backends.mkl.is_available(), "matmul_gflops": matmul_gflops()}
    elif command["do"] == "load":
        state = Layers(**command["case"])
        answer = {layout: state.error(layout) for layout in ("bdn", "bnd", "bndT")}
    else:
        now = time.process_time if command["clock"] == "cpu" else time.perf_counter
        start = now()
        for _ in range(command["times"]):
            state.run(command["layout"])
        answer = (now() - start) / command["times"]
    print(json.dumps(answer), flush=True)
