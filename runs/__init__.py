"""What people submit and watch."""
