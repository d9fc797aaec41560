"""Teacher-forced exact match per capability (equal to greedy decoding). The tokenizer lies beside EVAL.
Usage: quick_eval.py CHECKPOINT EVAL [per-capability limit] [threads]"""
import collections, json, os, sys
import torch, torch.nn.functional as F
from tokenizers import Tokenizer
from model import Qwen2, tree_mask
from template import system_block, segments, assistant_text


def main(ckpt, path, limit=25, threads=1):
    torch.set_num_threads(int(threads))
    tk = Tokenizer.from_file(os.path.join(os.path.dirname(path), "tokenizer.json"))
    c = torch.load(ckpt, map_location="cpu")
    m = Qwen2(c["cfg"]); m.load_state_dict(c["model"]); m.eval()
    table, seen, items = collections.OrderedDict(), collections.Counter(), []
    for line in open(path):
        k = json.loads(line)
        seen[k["capability"]] += 1
        if seen[k["capability"]] > int(limit): continue
        ms = list(k["messages"])
        system = ms.pop(0)["content"] if ms[0]["role"] == "system" else None
        ms = [x if not x.get("tool_calls") else {"role": "assistant", "tool_calls": [t["function"] for t in x["tool_calls"]]} for x in ms]
        specs = []
        for t in k["tools"]:
            f = t["function"]; q = f["parameters"]
            specs.append((f["name"], f["description"], {a: p["type"] + ("" if a in q["required"] else "?") for a, p in q["properties"].items()}))
        prompt = system_block(system, specs) + "".join(t for t, _ in segments(ms)) + "<|im_start|>assistant\n"
        a = tk.encode(prompt, add_special_tokens=False).ids
        b = tk.encode(assistant_text(dict(role="assistant", **k["expected"])) + "<|im_end|>", add_special_tokens=False).ids
        items.append((k, a, b))
    items.sort(key=lambda x: len(x[1]) + len(x[2]))
    wrong = []
    for s in range(0, len(items), 32):
        part = items[s:s + 32]
        T = max(len(a) + len(b) for _, a, b in part)
        ids, br = torch.zeros(len(part), T, dtype=torch.long), torch.full((len(part), T), -1)
        for i, (_, a, b) in enumerate(part):
            ids[i, :len(a) + len(b)] = torch.tensor(a + b); br[i, :len(a) + len(b)] = 0
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            lg = F.linear(m.hidden(ids, torch.arange(T)[None].expand(len(part), T), tree_mask(br)), m.model.embed_tokens.weight)
        for i, (k, a, b) in enumerate(part):
            p = lg[i, len(a) - 1:len(a) + len(b) - 1].argmax(-1).tolist()
            r = table.setdefault(k["capability"], [0, 0]); r[1] += 1; r[0] += p == b
            if p != b:
                j = next(j for j in range(len(b)) if p[j] != b[j])
                wrong.append((k["capability"], k["messages"][-1]["content"][-90:], tk.decode(b)[:110], "…" + tk.decode(b[max(0, j - 4):j]) + "[" + tk.decode(p[j:j + 3]) + "]"))
    for k, (x, n) in sorted(table.items()): print(f"{k:20s} {x:3d}/{n:3d} {x / n:.2f}")
    print("all", sum(x for x, _ in table.values()) / sum(n for _, n in table.values()))
    show = collections.Counter()
    for w in wrong:
        show[w[0]] += 1
        if show[w[0]] <= 4: print(*w, sep=" | ")


main(*sys.argv[1:])
