"""Speed and learning results of the Agent Zoo as data, and the commands that make them."""
