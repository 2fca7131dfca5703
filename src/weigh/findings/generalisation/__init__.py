"""Does the score hold on new examples? Test part, luck of choosing, learning curve, shift, order of the examples."""
