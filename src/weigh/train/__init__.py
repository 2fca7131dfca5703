"""How pretrained weights are used: recipes, the training loop, heads on frozen features, further pretraining."""
