"""The app as a service: started, guarded, asked for its health."""
