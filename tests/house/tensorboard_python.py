"""A small run, its event file, and what TensorBoard reads in it."""
import json
import struct
import subprocess
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

program = sys.argv[1]
text = "".join("a hat on the cat\n" if i % 3 == 0 else "the cat sat on a mat.\n" for i in range(100))
open("t.txt", "w").write(text)
open("tiny.yaml", "w").write(
    "schema: 1\nname: tiny\nmodel: [{embed: {width: 16}}, {logits: {tie: embed}}]\n"
    "data: {text: {path: t.txt}}\ntrain: {steps: 300, batch: 2, context: 8}\neval: {every: 50}\ngenerate: {tokens: 20}\n")
subprocess.run([program, "train", "tiny.yaml", "--run-dir", "r"], check=True, stderr=subprocess.DEVNULL)
told = json.loads(subprocess.run([program, "report", "r", "--tensorboard", "--json"], check=True, stdout=subprocess.PIPE).stdout)

log = [json.loads(line) for line in open("r/log.jsonl")]
seen = EventAccumulator("r/tb", size_guidance={"scalars": 0, "tensors": 0})
seen.Reload()
assert "r/" + seen.path.split("r/", 1)[1] in told["tensorboard"][0], seen.path


def f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def agree(tag, kind, key):
    ours = [(e["step"], f32(e[key])) for e in log if e["event"] == kind]
    theirs = [(s.step, s.value) for s in seen.Scalars(tag)]
    assert len(ours) > 5 and ours == theirs, (tag, ours[:3], theirs[:3])
    print(f"{tag}: {len(ours)} values")


for tag, key in [("loss/training", "loss"), ("learning_rate", "learning_rate"), ("norm/gradient", "gradient_norm"),
                 ("norm/update", "update_norm"), ("norm/weights", "weight_norm"), ("tokens_per_second", "tokens_per_second")]:
    agree(tag, "train", key)
agree("loss/validation", "eval", "loss")
agree("accuracy/validation", "eval", "accuracy")

samples = seen.Tensors("sample")
assert [s.step for s in samples] == [50, 100, 150, 200, 250, 300]
assert seen.SummaryMetadata("sample").plugin_data.plugin_name == "text"
last = samples[-1].tensor_proto.string_val[0].decode()
written = open("r/samples.txt").read().rsplit("step 300\n", 1)[1]
assert "".join(line[4:] for line in last.splitlines(True)) == "".join(line[2:] for line in written.splitlines(True))[:-1]
times = [s.wall_time for s in seen.Scalars("loss/training")]
begun = next(e["time"] for e in log if e["event"] == "start")
assert begun <= times[0] and times == sorted(times) and times[-1] < begun + 600
print("samples: as they were written")
