"""What is called what: one table a family, read in both directions. Part of convert_weights.py."""
from collections import namedtuple

import numpy as np

# How one tensor there becomes one or more here. `to` gets the array and the sizes, `back` the arrays.
How = namedtuple("How", "to back")
keep = How(lambda a, n: [a], lambda a: a[0])
turn = How(lambda a, n: [a.T], lambda a: a[0].T)  # nn.Linear holds [out, in], Weft [in, out]


def heads_apart(a, n):
    """Rows [q k v beta] of every head, one head after the other -> Wq Wk Wv [D, H d], Wb [D, H]."""
    rows = a.reshape(n["H"], -1, a.shape[1])
    d = rows.shape[1] // 3
    return [rows[:, i : i + w].reshape(-1, a.shape[1]).T for i, w in ((0, d), (d, d), (2 * d, d), (3 * d, 1))]


def heads_together(parts):
    width, H = parts[3].shape
    return np.concatenate([p.T.reshape(H, -1, width) for p in parts], axis=1).reshape(-1, width)


heads = How(heads_apart, heads_together)

# One line a tensor: its name there ({} is the layer), its shape there, how, its names here behind the place of the model.
Row = namedtuple("Row", "name shape how weft")
# rows; `ignored`: buffers that hold no weights; `tied`: {copy: of what}, `alone` where Weft has both; `optional`: rows that
# are all there or none, and the param that says so; `asks`: params that no tensor tells; `params`: those that the family has.
Family = namedtuple("Family", "about model rows ignored tied alone optional asks params")


def gpt2_rows(matrix, shape):
    layer, here = "transformer.h.{}.", "3.repeat[{}].body."
    rows = [Row("transformer.wte.weight", "vocab D", keep, ["0.embed.table"]),
            Row("transformer.wpe.weight", "context D", keep, ["1.positions.table"])]
    for norm, place in ((layer + "ln_1", here + "0.residual.norm.norm"), (layer + "ln_2", here + "1.residual.norm.norm"),
                        ("transformer.ln_f", "4.norm")):
        rows += [Row(norm + ".weight", "D", keep, [place + ".gain"]), Row(norm + ".bias", "D", keep, [place + ".bias"])]
    for name, place, inputs, outputs in (
            ("attn.c_attn", "0.residual.body.0.self_attention.qkv", "D", "3*D"),
            ("attn.c_proj", "0.residual.body.0.self_attention.out", "D", "D"),
            ("mlp.c_fc", "1.residual.body.0.mlp.up", "D", "hidden"),
            ("mlp.c_proj", "1.residual.body.0.mlp.out", "hidden", "D")):
        rows += [Row(layer + name + ".weight", shape(inputs, outputs), matrix, [here + place + ".linear.W"]),
                 Row(layer + name + ".bias", outputs, keep, [here + place + ".linear.b"])]
    return rows


gpt2 = Family("GPT-2 of Hugging Face's transformers (its Conv1D holds [in, out])", "std/gpt2",
              gpt2_rows(keep, "{0} {1}".format), ["transformer.h.{}.attn.bias", "transformer.h.{}.attn.masked_bias"],
              {"lm_head.weight": "transformer.wte.weight"}, False, (r"\.bias$", "biases"),
              {"H": "n_head in config.json"}, {"gelu": "tanh"})

FAMILIES = {
    "gpt2": gpt2,
    "nanogpt": gpt2._replace(about="karpathy/nanoGPT (the exact gelu, biases or none)",
                             rows=gpt2_rows(turn, "{1} {0}".format), asks={"H": "n_head in model_args"},
                             params={"gelu": "exact"}),
    "torchscale": Family(
        "RetNet of microsoft/torchscale, RetNetDecoder", "std/retnet_torchscale",
        [Row("embed_tokens.weight", "vocab D", keep, ["0.embed.table"]),
         Row("layers.{}.retention_layer_norm.weight", "D", keep, ["1.repeat[{}].body.0.residual.norm.rms_norm.gain"])]
        + [Row(f"layers.{{}}.retention.{there}.weight", shape, turn,
               [f"1.repeat[{{}}].body.0.residual.body.0.retnet.retention.{here}"])
           for there, here, shape in (("q_proj", "Wq", "D D"), ("k_proj", "Wk", "D D"), ("v_proj", "Wv", "value_dim D"),
                                      ("g_proj", "Wg", "value_dim D"), ("out_proj", "Wo", "D value_dim"))]
        + [Row("layers.{}.final_layer_norm.weight", "D", keep, ["1.repeat[{}].body.1.residual.norm.rms_norm.gain"])]
        + [Row(f"layers.{{}}.ffn.{there}.weight", shape, turn, [f"1.repeat[{{}}].body.1.residual.body.0.glu.{here}"])
           for there, here, shape in (("fc1", "Wg", "hidden D"), ("gate", "Wu", "hidden D"), ("fc2", "Wd", "D hidden"))]
        + [Row("layer_norm.weight", "D", keep, ["2.rms_norm.gain"]),
           Row("output_projection.weight", "vocab D", keep, ["3.logits.W"])],
        ["retnet_rel_pos.angle", "retnet_rel_pos.decay"], {"output_projection.weight": "embed_tokens.weight"}, True, None,
        {"H": "decoder_retention_heads", "activation": "activation_fn: swish or gelu",
         "scale": "true unless no_scale_embedding"}, {}),
    "fast_weights": Family(
        "language models of IDSIA/lmtool-fwp, attn_type 24 and 26, without --adaptive and --pre_lnorm", "std/fast_weights_lm",
        [Row("word_emb.emb_layers.0.weight", "vocab D", keep, ["0.embed.table"]),
         Row("layers.{}.dec_attn.qkvb_net.weight", "3*D+H D", heads,
             [f"3.repeat[{{}}].body.0.residual.body.0.fw.fast_weights.{w}" for w in ("Wq", "Wk", "Wv", "Wb")]),
         Row("layers.{}.dec_attn.o_net.weight", "D D", turn, ["3.repeat[{}].body.0.residual.body.0.fw.fast_weights.Wo"]),
         Row("layers.{}.dec_attn.layer_norm.weight", "D", keep, ["3.repeat[{}].body.0.residual.norm.layer_norm.gain"]),
         Row("layers.{}.dec_attn.layer_norm.bias", "D", keep, ["3.repeat[{}].body.0.residual.norm.layer_norm.bias"]),
         Row("layers.{}.pos_ff.CoreNet.0.weight", "hidden D", turn, ["3.repeat[{}].body.1.residual.body.0.mlp.W1"]),
         Row("layers.{}.pos_ff.CoreNet.0.bias", "hidden", keep, ["3.repeat[{}].body.1.residual.body.0.mlp.b1"]),
         Row("layers.{}.pos_ff.CoreNet.3.weight", "D hidden", turn, ["3.repeat[{}].body.1.residual.body.0.mlp.W2"]),
         Row("layers.{}.pos_ff.CoreNet.3.bias", "D", keep, ["3.repeat[{}].body.1.residual.body.0.mlp.b2"]),
         Row("layers.{}.pos_ff.layer_norm.weight", "D", keep, ["3.repeat[{}].body.1.residual.norm.layer_norm.gain"]),
         Row("layers.{}.pos_ff.layer_norm.bias", "D", keep, ["3.repeat[{}].body.1.residual.norm.layer_norm.bias"]),
         Row("crit.out_layers.0.bias", "vocab", keep, ["6.bias.b"])],
        ["pos_emb.inv_freq"], {"crit.out_layers.0.weight": "word_emb.emb_layers.0.weight"}, False, None,
        {"feature": "dpfp for attn_type 26, elu for 24", "positions": "false with --no_pos",
         "out_norm": "false with --skip_attn_normalization"}, {"nu": 2}),
}

# What wrappers put in front of names: torch.compile, DataParallel, fairseq, and Hugging Face's head models.
WRAPPERS = ("_orig_mod.", "module.", "model.", "decoder.", "transformer.")


def bare(name):
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name
