"""The safetensors file format: 8-byte little-endian header length, JSON header, raw little-endian data."""
import json, struct
import numpy as np
import torch

NAMES = {"float32": "F32", "float64": "F64", "int64": "I64", "uint8": "U8", "bool": "BOOL"}


def save_safetensors(path, tensors, metadata=None):
    header, blobs, offset = ({"__metadata__": metadata} if metadata else {}), [], 0
    for name, value in tensors.items():
        a = np.ascontiguousarray(value.detach().numpy() if torch.is_tensor(value) else value)
        header[name] = {"dtype": NAMES[str(a.dtype)], "shape": list(a.shape), "data_offsets": [offset, offset + a.nbytes]}
        blobs.append(a.tobytes())
        offset += a.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + b"".join(blobs))


def load_safetensors(path):
    """(name -> torch tensor, metadata)."""
    raw = open(path, "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    header, data = json.loads(raw[8:8 + size]), raw[8 + size:]
    numpy_name = {short: name for name, short in NAMES.items()}
    tensors = {}
    for name, e in header.items():
        if name != "__metadata__":
            start, end = e["data_offsets"]
            a = np.frombuffer(data[start:end], numpy_name[e["dtype"]]).reshape(e["shape"])
            tensors[name] = torch.from_numpy(a.copy())
    return tensors, header.get("__metadata__", {})
