"""Writes the parity fixtures of crates/engine: tiny random Qwen2 models and what transformers computes with them, and prompts of the
demo as transformers renders and tokenizes them.

Usage: make_fixtures.py [OUT]   (needs torch and transformers 5; the results are committed, tests need no Python)
"""
import json, pathlib, sys
import torch
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

PROMPT, GREEDY, VOCABULARY = 40, 32, 272
# name, spelling of the RoPE base (transformers 4 or 5), shape
MODELS = [
    ("tied-3-heads", 4, dict(hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, tie_word_embeddings=True), 10_000.0),
    ("untied-5-heads", 5, dict(hidden_size=40, intermediate_size=72, num_hidden_layers=3, num_attention_heads=5, num_key_value_heads=5, tie_word_embeddings=False), 10_000.0),
    ("untied-wide-heads", 5, dict(hidden_size=56, intermediate_size=64, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, head_dim=12, tie_word_embeddings=False), 1_000_000.0),
]


def tokenizer():
    """256 bytes and three control tokens."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in visible]
    alphabet = {chr(b): b for b in visible} | {chr(256 + i): b for i, b in enumerate(hidden)}
    control = [dict(id=256 + i, content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for i, t in enumerate(("<|endoftext|>", "<|im_start|>", "<|im_end|>"))]
    return dict(version="1.0", added_tokens=control, normalizer=dict(type="NFC"), pre_tokenizer=dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False),
                decoder=dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False), model=dict(type="BPE", vocab=alphabet, merges=[]))


def make(out, name, spelling, shape, theta, seed):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    config = Qwen2Config(vocab_size=VOCABULARY, max_position_embeddings=256, rms_norm_eps=1e-6, use_sliding_window=False, attn_implementation="eager",
                         rope_parameters=dict(rope_type="default", rope_theta=theta), bos_token_id=None, eos_token_id=258, **shape)
    model = Qwen2ForCausalLM(config).eval()
    with torch.no_grad():
        for key, p in model.named_parameters():  # zero biases and unit norms would hide mistakes
            if "norm" in key:
                p.normal_(1, 0.2)
            elif key.endswith("bias"):
                p.normal_(0, 0.5)
            else:
                p.normal_(0, 1.5 / p.shape[-1] ** 0.5)
        prompt = torch.randint(0, 256, (1, PROMPT))
        logits = model(prompt).logits[0].float()
        tokens = prompt
        margin = 9.0
        for _ in range(GREEDY):
            row = model(tokens).logits[0, -1]
            top = row.topk(2).values
            margin = min(margin, float(top[0] - top[1]))
            tokens = torch.cat([tokens, row.argmax().view(1, 1)], 1)
    assert logits.std() >= 1 and margin > 0.01, (name, float(logits.std()), margin)
    greedy = tokens[0, PROMPT:].tolist()
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.contiguous() for k, v in model.state_dict().items() if not (config.tie_word_embeddings and k == "lm_head.weight")}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    written = config.to_dict()
    if spelling == 4:
        written.pop("rope_parameters")
        written |= dict(rope_theta=theta, rope_scaling=None)
    (folder / "config.json").write_text(json.dumps(written, indent=1))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(), ensure_ascii=False))
    (folder / "expected.json").write_text(json.dumps(dict(prompt=prompt[0].tolist(), greedy=greedy)))
    logits.numpy().astype("<f4").tofile(folder / "logits.bin")
    print(f"{name}: logits std {logits.std():.2f}, smallest margin {margin:.3f}")


TEXTS = ["Hello, world!", "  two  spaces\n\n\tand a tab \n", "it's we'll I'D they've", "1234567890 3.14 1e-9", "naïve café e\u0301", "日本語のテキスト 中文 한국어",
         "שלום عالم", "👩‍👩‍👧 🙂🙂", "<|im_start|>user\nhi<|im_end|>", "<tool_call>\n{\"a\": 1}\n</tool_call>", "<tool_call", "< |im_end|>", "\r\n\r\n x", "a" * 70,
         "fn main() { println!(\"{}\", x[0]); }", "\u0000\u007f\u00a0\u200b\ufeff", "ﬁ Å ½ ²", "___----====++++", "the theThe THE tHe", ""]


def demo(out, folder):
    """One case per capability of the demo's suite, and texts that are hard to cut."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    cases = {}
    for line in (folder / "eval.jsonl").read_text().splitlines():
        case = json.loads(line)
        cases.setdefault(case["capability"], case)
    prompts = []
    for case in cases.values():
        text = tokenizer.apply_chat_template(case["messages"], tools=case["tools"] or None, chat_template=template, add_generation_prompt=True, tokenize=False)
        prompts.append(dict(messages=case["messages"], tools=case["tools"], text=text, ids=tokenizer(text, add_special_tokens=False)["input_ids"]))
    texts = [dict(text=t, ids=tokenizer(t, add_special_tokens=False)["input_ids"]) for t in TEXTS]
    (out / "demo-prompts.json").write_text(json.dumps(dict(prompts=prompts, texts=texts), ensure_ascii=False))


def main(out):
    demo(out, pathlib.Path(__file__).parent.parent / "models/demo")
    for i, (name, spelling, shape, theta) in enumerate(MODELS):
        for seed in range(1000 * i, 1000 * i + 100):
            try:
                make(out, name, spelling, shape, theta, seed)
                break
            except AssertionError:
                continue
        else:
            sys.exit(f"no seed for {name}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "crates/engine/tests/fixtures"))
