"""Text -> Spec: reading with places, the types that validate, and the layers worked out."""
