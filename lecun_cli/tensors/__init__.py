"""Generate elements of tensors from the stream: ranges, boxes, slices."""
