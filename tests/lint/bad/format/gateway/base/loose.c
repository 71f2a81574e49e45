int  loose ;
int *tight;
