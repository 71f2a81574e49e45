int *tight;
