"""Turn tensor names and shapes into layers, and check that these layers reproduce the tensors."""
