"""Who is calling, who may publish, who may play: tokens and keys."""
