STREAMS = ["transformer", "retnet", "linear_transformer", "fast_weights"]
def measure_all(args, torch): pass
