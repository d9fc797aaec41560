"""Train the demo model on the CPU: Muon for matrices, AdamW for the rest, bf16 autocast, tree-packed rows."""
import argparse, json, math, multiprocessing as mp, os, time
import numpy as np, torch, torch.nn.functional as F
from tokenizers import Tokenizer
from data import Encoder, batch
from model import CONFIG, Qwen2, tree_mask, twins

ap = argparse.ArgumentParser()
ap.add_argument("--out", default="../../../target/demo-run")
ap.add_argument("--tokenizer", default="../tokenizer.json")
ap.add_argument("--steps", type=int, default=2400)
ap.add_argument("--seed", type=int, default=7)
ap.add_argument("--layers", type=int, default=6)
ap.add_argument("--long", type=int, nargs=2, default=[7, 512], help="tool rows per step and their length")
ap.add_argument("--short", type=int, nargs=2, default=[13, 256], help="plain rows per step and their length")
ap.add_argument("--muon-lr", type=float, default=0.02)
ap.add_argument("--adam-lr", type=float, default=3e-3)
ap.add_argument("--decay", type=float, default=0.62, help="fraction of the steps with falling learning rate")
ap.add_argument("--power", type=float, default=1.5, help="exponent of the decay")
ap.add_argument("--short-first", type=int, default=294, help="steps with mostly short rows at the beginning")
ap.add_argument("--phases", type=int, nargs=3, default=[1200, 2000, 2600], help="steps at which the later phases of the corpus begin")
ap.add_argument("--compile", type=int, default=1)
ap.add_argument("--bf16", type=int, default=1)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--deadline", default="", help="HH:MM UTC; if the steps would not fit, the schedule is shortened")
ap.add_argument("--resume", default="")
ap.add_argument("--measure", type=int, default=0)


def plan(step, a):
    """(tool rows, plain rows): plain short rows dominate at first, so that copying is learned over short distances"""
    if step < a.short_first:
        return 2, 22
    return (8, 10) if step < a.phases[1] else (a.long[0], a.short[0])


def worker(a, start, q):
    os.nice(1)
    torch.set_num_threads(1)
    enc = Encoder(Tokenizer.from_file(a.tokenizer))
    s = start
    while True:
        (nl, ns), ph = plan(s, a), sum(s >= x for x in a.phases)
        q.put((s, [batch(a.seed * 1_000_003 + 2 * s, enc, nl, a.long[1], None, phase=ph),
                   batch(a.seed * 1_000_003 + 2 * s + 1, enc, ns, a.short[1], "none", phase=ph)]))
        s += 1


@torch.no_grad()
def orthogonal(G, steps=5):
    """Newton-Schulz iteration for a stack of matrices"""
    X = G.bfloat16()
    tall = X.shape[1] > X.shape[2]
    if tall:
        X = X.transpose(1, 2).contiguous()
    X = X / (X.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        A = X @ X.transpose(1, 2)
        B = -4.7750 * A + 2.0315 * (A @ A)
        X = 3.4445 * X + B @ X
    return (X.transpose(1, 2) if tall else X).float()


class Muon:
    def __init__(self, params, momentum=0.95, wd=0.02):
        self.groups, self.m, self.wd = {}, momentum, wd
        for p in params:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.buf = {k: torch.zeros(len(v), *k) for k, v in self.groups.items()}

    @torch.no_grad()
    def step(self, lr):
        for k, ps in self.groups.items():
            g = torch.stack([p.grad for p in ps])
            b = self.buf[k]
            b.lerp_(g, 1 - self.m)
            o = orthogonal(g.lerp(b, self.m))
            s = lr * max(1, k[0] / k[1]) ** 0.5
            for p, u in zip(ps, o):
                p.mul_(1 - lr * self.wd).add_(u, alpha=-s)


def evaluate(model, rows, fwd, bf16):
    """held-out loss and exact match per assistant turn, teacher forced (equal to greedy decoding)"""
    model.eval()
    loss = n = ok = turns = 0
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for ids, pos, br, lab in rows:
            h = fwd(torch.from_numpy(ids).long(), torch.from_numpy(pos).long(), tree_mask(torch.from_numpy(br)))
            y = torch.from_numpy(lab).long()
            k = y >= 0
            lg = F.linear(h[k], model.model.embed_tokens.weight).float()
            loss += F.cross_entropy(lg, y[k], reduction="sum").item()
            n += int(k.sum())
            good = torch.zeros_like(k)
            good[k] = lg.argmax(-1) == y[k]
            for b in range(k.shape[0]):
                edge = torch.diff(torch.cat([torch.zeros(1), k[b].float(), torch.zeros(1)]))
                for i, j in zip(torch.where(edge == 1)[0].tolist(), torch.where(edge == -1)[0].tolist()):
                    ok += bool(good[b, i:j].all())
                    turns += 1
    model.train()
    return loss / n, ok / turns


def main():
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    tk = Tokenizer.from_file(a.tokenizer)
    cfg = CONFIG | {"num_hidden_layers": a.layers, "vocab_size": tk.get_vocab_size()}
    model = Qwen2(cfg)
    model.init(a.seed, twins(tk))
    mats = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n]
    total = sum(p.numel() for p in model.parameters())
    muon = Muon(mats)
    adam = torch.optim.AdamW(rest, lr=a.adam_lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    start = seen = 0
    if a.resume:
        c = torch.load(a.resume)
        model.load_state_dict(c["model"]); adam.load_state_dict(c["adam"]); muon.buf = c["muon"]
        start, seen = c["step"], c["seen"]
    if a.compile:
        for l in model.model.layers:
            l.compile(dynamic=True)  # one graph for all layers and shapes
    fwd = model.hidden
    enc = Encoder(tk)
    held = [batch(999, enc, 24, a.long[1], None, "eval"), batch(998, enc, 24, a.short[1], "none", "eval")]
    q = mp.Queue(8)
    w = mp.Process(target=worker, args=(a, start, q), daemon=True)
    w.start()
    log = open(f"{a.out}/log.jsonl", "a")
    steps, t0, tlast, acc, nacc = a.steps, time.time(), time.time(), 0.0, 0
    deadline = None
    if a.deadline:
        now = time.gmtime()
        h, m = map(int, a.deadline.split(":"))
        deadline = time.time() + (h - now.tm_hour) * 3600 + (m - now.tm_min) * 60 - now.tm_sec
    print(f"parameters {total} ({total - model.model.embed_tokens.weight.numel()} without embedding), steps {steps}", flush=True)

    def save(name, step):
        torch.save(dict(model=model.state_dict(), adam=adam.state_dict(), muon=muon.buf, step=step, seen=seen, cfg=cfg), f"{a.out}/{name}.tmp")
        os.replace(f"{a.out}/{name}.tmp", f"{a.out}/{name}")

    step = start
    while step < steps:
        s, parts = q.get()
        warm = min(1, (step + 1) / 60)
        lr = warm * min(1.0, max(0.0, (steps - step) / (a.decay * steps))) ** a.power
        count = sum((p[3] >= 0).sum() for p in parts)
        for ids, pos, br, lab in parts:
            if len(ids) == 0: continue
            with torch.autocast("cpu", torch.bfloat16, enabled=bool(a.bf16)):
                h = fwd(torch.from_numpy(ids).long(), torch.from_numpy(pos).long(), tree_mask(torch.from_numpy(br)))
                y = torch.from_numpy(lab).long()
                k = y >= 0
                lg = F.linear(h[k], model.model.embed_tokens.weight)
            loss = F.cross_entropy(lg.float(), y[k], reduction="sum") / float(count)
            loss.backward()
            acc += loss.item()
            seen += int((br >= 0).sum())
        nacc += 1
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        muon.step(a.muon_lr * lr)
        for gr in adam.param_groups: gr["lr"] = a.adam_lr * lr
        adam.step()
        for p in model.parameters(): p.grad = None
        step += 1
        if a.measure:
            print(step, round(acc / nacc, 3), round(time.time() - tlast, 2), "s", flush=True)
            acc, nacc, tlast = 0.0, 0, time.time()
            if step - start >= a.measure: break
            continue
        if step % 25 == 0:
            el = (time.time() - t0) / (step - start)
            if deadline and step - start >= 50 and time.time() + (steps - step) * el > deadline:
                fit = step + max(1, int((deadline - time.time()) / el))
                print(f"deadline: {steps} -> {fit} steps", flush=True)
                steps = fit
            r = dict(step=step, loss=round(acc / nacc, 4), lr=round(lr, 3), tokens=seen, tok_s=int(25 * (seen / max(1, step)) / (time.time() - tlast)), s=int(time.time() - t0))
            acc, nacc, tlast = 0.0, 0, time.time()
            if step % 200 == 0:
                r["held_tool"], r["em_tool"] = (round(x, 4) for x in evaluate(model, held[:1], fwd, bool(a.bf16)))
                r["held_plain"], r["em_plain"] = (round(x, 4) for x in evaluate(model, held[1:], fwd, bool(a.bf16)))
                save("last.pt", step)
                tlast = time.time()
            print(json.dumps(r), flush=True)
            log.write(json.dumps(r) + "\n"); log.flush()
    if not a.measure:
        save("final.pt", step)
        print("done", step, seen, int(time.time() - t0), "s", evaluate(model, held[:1], fwd, bool(a.bf16)), evaluate(model, held[1:], fwd, bool(a.bf16)), flush=True)
    w.terminate()


if __name__ == "__main__":
    main()
