"""Fill README.md from README.in.md, scores and the training log. Usage: readme.py OUT LOG"""
import json, os, sys

out, log_file = sys.argv[1:3]
sc, log = json.load(open(f"{out}/scores.json")), [json.loads(l) for l in open(log_file)]
q8 = json.load(open(f"{out}/scores-q8_0.json")) if os.path.exists(f"{out}/scores-q8_0.json") else None
rows = ["| capability | n | exact | without spaces |" + (" Q8_0 exact |" if q8 else ""), "| --- | ---: | ---: | ---: |" + (" ---: |" if q8 else "")]
for k, r in sc["capabilities"].items():
    rows.append(f"| {k} | {r['n']} | {r['score']:.2f} | {r['loose']:.2f} |" + (f" {q8['capabilities'][k]['score']:.2f} |" if q8 else ""))
rows.append(f"| **all** | {sc['cases']} | **{sc['score']:.3f}** | {sc['loose']:.3f} |" + (f" {q8['score']:.3f} |" if q8 else ""))
last = log[-1]
size = lambda f: f"{os.path.getsize(f'{out}/{f}') / 1e6:.2f} MB"
text = open("README.in.md").read()
for k, v in dict(TABLE="\n".join(rows), STEPS=last["step"], TOKENS=f"{last['tokens'] / 1e6:.1f}", LOSS=last["loss"], GGUF=size("shammah-demo-q8_0.gguf"), SAFE=size("model.safetensors")).items():
    text = text.replace("{{" + k + "}}", str(v))
open(f"{out}/README.md", "w").write(text)
