int tls_context_new(int request_context);
